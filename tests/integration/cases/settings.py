"""The main command obeys the configuration file as `coverage run` does."""

import os
import random
import re
import sqlite3

from harness import FULL, Skip, case, lines_of

SOME = "pyenv-3.8 debian-3.11 sid-3.13 sid-3.14"

APP = """import sys, json
sys.path.insert(0, "lib")
import pack.used, single, installed
from tests import check
pack.used.f()
check.run()
exec(compile("x = 1", "<made>", "exec"))
"""

TREE = {
    "app.py": APP,
    "lib/pack/__init__.py": "a = 1\n",
    "lib/pack/used.py": "def f():\n    return 2\ndef g():\n    return 3\n",
    "lib/pack/unused.py": "b = 1\n",
    "lib/pack/sub/__init__.py": "",
    "lib/pack/sub/deep.py": "c = 1\n",
    "lib/pack/data/lost.py": "d = 1\n",
    "lib/single.py": "e = 1\n",
    "lib/installed.py": "h = 1\n",
    "tests/__init__.py": "",
    "tests/check.py": "def run():\n    return 4\n",
    "unrelated.py": "i = 1\n",
}


def project(t):
    for name, text in TREE.items():
        t.write(name, text)


def contents(path):
    """The names of files and contexts in a data file, and the lines by both."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    files = sorted(name for name, in db.execute("select path from file"))
    lines = {(path, context): sorted(lines_of(numbits)) for path, context, numbits in db.execute(
        "select path, context, numbits from line_bits join file on file.id = file_id"
        " join context on context.id = context_id")}
    db.close()
    return files, {key: value for key, value in lines.items() if value}


def data_files(t):
    """Data files by name; what is random in names is left out."""
    found = {}
    for path in sorted(t.dir.rglob("*")):
        if path.is_file() and path.read_bytes()[:6] == b"SQLite":
            name = str(path.relative_to(t.dir))
            found[re.sub(r"\.(pid)?\d+\.X\w+.*", "", name)] = contents(path)
            path.unlink()
    return found


def run_both(t, text, name=".coveragerc", options=(), args=("app.py",), env=None):
    """What both leave behind with this configuration: theirs, ours, and our run."""
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    t.write(name, text)
    env = {**t.env, **(env or {})}
    theirs = t.run(t.py("-m", "coverage", "run", *options, *args), env={**env, "PYTHONPATH": t.python.coverage})
    t.expect(theirs.status == 0, f"coverage run with {text!r}", theirs)
    expected = data_files(t)
    ours = t.run([t.program, *options, "--", *t.py(*args)], env={**env, "PYTHONPATH": t.python.coverage})
    t.expect(ours.status == 0, f"pycov-trace with {text!r}", ours)
    return expected, data_files(t), ours


SETTINGS = [
    "[run]\nsource = lib\n",
    "[run]\nsource = .\nomit = tests/*, */sub/*\n",
    "[run]\nsource = lib/pack\n  tests\n[report]\ninclude_namespace_packages = true\n",
    "[run]\nsource_pkgs = pack\n",
    "[run]\nsource_pkgs = pack.used, single\n",
    "[run]\nsource_dirs = tests\n",
    "[run]\nsource_pkgs = single\nsource_dirs = tests\nsource = lib/pack\n",
    "[run]\ninclude = lib/*\n",
    "[run]\ninclude = */pack/*, app.py\nomit = lib/pack/__init__.py\n",
    "[run]\nomit = app.py\n  ${PWD_OF}/tests/*\n",
    "[run]\nsource = lib\nrelative_files = true\n",
    "[run]\nrelative_files = true\ndata_file = out/data\n",
    "[run]\ncontext = night ${PWD_OF-x}\nsource = lib\n",
    "[run]\nparallel = true\n",
    "[run]\npatch = subprocess\nsource = tests, lib\n",
    "[run]\nconcurrency = thread\nsigterm = true\nsource = pack\n",
    "[run]\nsource = nothing.of.that.name, lib\n",
]


@case(only=SOME)
def obeyed(t):
    project(t)
    (t.dir / "out").mkdir()
    for text in SETTINGS:
        if t.version < (3, 10) and "patch" in text:
            continue  # of a coverage.py that did not have it
        if t.version < (3, 9) and "source_dirs" in text:
            continue
        expected, got, run = run_both(t, text, env={"PWD_OF": str(t.dir)})
        t.expect_equal(got, expected, f"data of {text!r}; {run}")


@case(only="debian-3.11 sid-3.14")
def command_line_wins(t):
    project(t)
    text = "[run]\nsource = tests\nomit = */pack/*\ndata_file = one\ncontext = file\n"
    for options in (["--source=lib"], ["--omit=*/check.py"], ["--data-file=two"], ["--context=given"]):
        expected, got, run = run_both(t, text, options=options)
        t.expect_equal(got, expected, f"data with {options}; {run}")
    expected, got, run = run_both(t, text, env={"COVERAGE_FILE": "three"})
    t.expect_equal(sorted(got), ["three"], "COVERAGE_FILE")
    (t.dir / ".coveragerc").unlink()
    expected, got, run = run_both(t, "[tool.coverage.run]\nsource = ['lib']\n", "pyproject.toml")
    t.expect_equal(got, expected, "pyproject.toml")
    expected, got, run = run_both(t, "[coverage:run]\nsource = tests\n", "tox.ini")
    t.expect_equal(got, expected, "tox.ini comes before pyproject.toml")
    expected, got, run = run_both(t, "[run]\nsource = tests\n", "other", options=["--rcfile=other"])
    t.expect_equal(got, expected, "--rcfile")
    expected, got, run = run_both(t, "", options=["--rcfile="])
    t.expect_equal(got, expected, "no rcfile")


@case(only="debian-3.11")
def command_line_is_run(t):
    t.write("pro gram.py", "import sys\nprint(sys.argv[1:])\n")
    t.write("bin/python", f"#!/bin/sh\nexec {t.python.command} \"$@\"\n", 0o755)
    t.write(".coveragerc", "[run]\ncommand_line = 'pro gram.py' a\\ b \"c\\\\ d\"\n   ''\n")
    env = {**t.env, "PATH": f"{t.dir}/bin:{t.env['PATH']}"}
    run = t.run([t.program], env=env)
    t.expect_equal((run.status, run.text), (0, "['a b', 'c\\\\ d', '']\n"), f"the run {run}")
    t.expect_equal(contents(t.dir / ".coverage")[0], [str(t.dir / "pro gram.py")], "files")
    run = t.run([t.program, "--", *t.py("pro gram.py", "x")], env=env)
    t.expect_equal(run.text, "['x']\n", "a command comes before command_line")
    t.write(".coveragerc", "[run]\ncommand_line = 'pro gram.py\n")
    run = t.run([t.program], env=env)
    t.expect(run.status == 1 and "command_line" in run.errors, "an open quote", run)
    t.write(".coveragerc", "")
    run = t.run([t.program], env=env)
    t.expect(run.status == 2, "nothing to run", run)


@case(only="debian-3.11")
def wrong_before_the_program_starts(t):
    program = t.write("touch.py", "open('started', 'w').close()\n")
    for text, word in (
        ("[run\n", ".coveragerc:1:1: "),
        ("[run]\nparallel = often\n", "boolean"),
        ("[run]\nconcurrency = fibers\n", "fibers"),
        ("[run]\nomit = ${NOT_THERE?}\n", "NOT_THERE"),
        ("[run]\nomit = a***\n", "***"),
        ("[run]\nsource_dirs = missing\n", "missing"),
        ("[run]\nsource_dirs = /\n", "root"),
    ):
        t.write(".coveragerc", text)
        run = t.trace(t.py(program))
        t.expect(run.status in (1, 2) and word in run.errors and run.errors.count("\n") == 1, f"{text!r}", run)
        t.expect(run.data is None and not os.path.exists(t.dir / "started"), f"nothing started for {text!r}")
    t.write(".coveragerc", "")
    run = t.trace(t.py(program), ["--rcfile=missing"])
    t.expect(run.status == 1 and "missing" in run.errors and run.data is None, "--rcfile of a missing file", run)


@case(only="debian-3.11")
def said_once(t):
    """What is unknown or of no use is named, once, and does not stop anything."""
    program = t.write("app.py", "a = 1\n")
    t.write(".coveragerc", "[run]\nplugins = some.thing\ndynamic_context = test_function\ntimid = true\n"
            "speed = 9\nsource = .\ninclude = x\n")
    run = t.trace(t.py(program))
    t.expect_lines(run, program, {1})
    for word in ("plugins", "dynamic_context", "timid", "speed", "--include"):
        t.expect_equal(sum(word in line for line in run.errors.splitlines()), 1, f"lines with {word} in {run.errors}")
    quiet = t.trace(t.py(program), ["-q"])
    t.expect_equal((quiet.status, quiet.errors), (0, ""), "-q")
    t.write(".coveragerc", "[run]\nsource = .\ninclude = x\ndisable_warnings = include-ignored\nsigterm = true\n"
            "concurrency = thread, gevent\npatch = _exit\ncore = sysmon\n")
    t.expect_equal(t.trace(t.py(program)).errors, "", "nothing to be said")


@case(only="debian-3.11")
def each_file_with_the_reason(t):
    project(t)
    t.write(".coveragerc", "[run]\nsource = lib, tests\nomit = */single.py\n")
    run = t.trace(t.py("app.py"), ["--debug=trace,config,data"])
    t.expect_equal(run.status, 0, "status")
    for name, reason in (
        ("app.py", "not measuring '{}': outside of --source"),
        ("lib/single.py", "not measuring '{}': inside --omit"),
        ("lib/pack/used.py", "measuring '{}': inside --source"),
    ):
        line = "pycov-trace: " + reason.format(t.dir / name)
        t.expect_equal(run.errors.split("\n").count(line), 1, f"{line} in {run.errors}")
    t.expect('run:source = ["lib", "tests"]' in run.errors, "the settings", run.errors)
    t.expect(f"pycov-trace: writing {t.data_file}: 8 files, 1 contexts" in run.errors, "the data", run.errors)


WIDE = """import sys
sys.path[1:1] = ["lib", "linked", "env/lib", "other"]
import pack.used, single, installed, pack.sub.deep
import through, inside_env, space.portion, zzz_linked
from tests import check
pack.used.f()
"""


def wide_project(t):
    project(t)
    t.write("app.py", WIDE)
    t.write("elsewhere/through.py", "j = 1\n")
    os.symlink("elsewhere", t.dir / "linked")
    t.write("env/pyvenv.cfg", "home = /usr/bin\n")
    t.write("env/lib/inside_env.py", "k = 1\n")
    t.write("other/space/portion.py", "l = 1\n")
    t.write("elsewhere/real_name.py", "m = 1\n")
    os.symlink("../elsewhere/real_name.py", t.dir / "other/zzz_linked.py")


DIRECTORIES = ".", "lib", "linked", "elsewhere", "env", "other"  # no packages: see namespace_packages


@case(only="debian-3.11 sid-3.14")
def random_settings(t):
    """Which files are measured, with settings put together at random."""
    wide_project(t)
    rng = random.Random(FULL and 23 or 5)
    sources = [".", "lib", "lib/", "lib/pack", "./lib/../tests", "linked", "elsewhere", "env", "env/lib", "other", "pack",
               "pack.sub", "single", "tests", "tests.check", "app", "through", "inside_env",
               "zzz_linked", "real_name", "pac", "nowhere", "space", "space.portion", "pack.data", "json", str(t.dir / "lib"), str(t.dir / "linked")]
    patterns = ["*/pack/*", "lib/*", "lib/*.py", "**/deep.py", "used.py", "*.py", "?pp.py", "[^a]*.py", "linked/*",
                "elsewhere/*", "other/**", "env/*", "*/e*/*", "*/lib/**/u*", "./app.py", "../*/tests/*", "lib/../tests/*",
                f"{t.dir}/lib/pack/*", "*/json/*", "tests", "*/[ps]*/*.py", "zzz_linked.py", "real_name.py"]
    differing = []
    for _ in range(200 if FULL else 15):
        lines = ["[run]"]
        if rng.random() < 0.6:
            name = "source" if t.version < (3, 9) else rng.choice(["source", "source", "source_pkgs"])
            some = [s for s in rng.sample(sources, rng.randrange(1, 4)) if name == "source" or s not in DIRECTORIES]
            some = [s for s in some if name == "source" or "/" not in s]
            lines.append(f"{name} = {', '.join(some)}")
        else:
            lines.append(f"include = {', '.join(rng.sample(patterns, rng.randrange(4)))}")
        lines.append(f"omit = {', '.join(rng.sample(patterns, rng.choice([0, 0, 1, 2])))}")
        lines += rng.choice([[], [], ["cover_pylib = true"]])
        lines += rng.choice([[], [], ["[report]", "include_namespace_packages = true"]])
        text = "\n".join(lines) + "\n"
        expected, got, run = run_both(t, text)
        got, expected = below(t.dir, got), below(t.dir, expected)
        if got != expected:
            differing.append((text, *(f"{name}: {what}" for name, what in named(got, expected)), run.errors))
    t.expect(not differing, f"{len(differing)} differ", *differing[:4])


def below(folder, found):
    """Without the standard library and coverage.py itself: what of it runs when depends on who measures."""
    return {name: ([f for f in files if f.startswith(f"{folder}/")],
                   {key: lines for key, lines in by_both.items() if key[0].startswith(f"{folder}/")})
            for name, (files, by_both) in found.items()}


def named(got, expected):
    for who, a, b in (("only here", got, expected), ("only coverage.py", expected, got)):
        for name, (files, _) in a.items():
            yield who, sorted(set(files) - set(b.get(name, ([], 0))[0]))


NAMESPACES = """import sys
sys.path.insert(0, "other")
import space.portion, space.inner.deep, pack.data.lost, beside
"""


def namespace_project(t):
    t.write("code/app.py", NAMESPACES)
    t.write("code/beside.py", "b = 1\n")
    t.write("code/pack/__init__.py", "c = 1\n")
    t.write("code/pack/data/lost.py", "d = 1\n")
    t.write("other/space/portion.py", "l = 1\n")
    t.write("other/space/never.py", "n = 1\n")
    t.write("other/space/inner/deep.py", "m = 1\n")


@case(only="debian-3.11 sid-3.14")
def namespace_packages(t):
    """Directories without __init__.py: a path of packages, but not where a script lies."""
    namespace_project(t)
    for source in ("space", "space.portion", "space.inner", "space.inner.deep", "pack.data", "pack", "pack.data.lost", "code",
                   "code.beside", "space.never", "nothing"):
        expected, got, run = run_both(t, f"[run]\nsource_pkgs = {source}\n", args=("code/app.py",))
        t.expect_equal(got, expected, f"data for {source}; {run}")
    expected, got, run = run_both(t, "[run]\nsource_pkgs = other\n", args=("code/app.py",))
    with t.difference("--source=A where A is a directory of sys.path and no package"):
        t.expect_equal(got, expected, f"data; {run}")


def warnings_of(run):
    """Names of warnings, each with the module that it is of."""
    return sorted(re.findall(r"(?:Module (\S+) .*|No data was collected\.) \(([a-z-]+)\)", run.errors))


@case(only="debian-3.11 sid-3.14")
def what_was_not_measured(t):
    """A source that never ran is named in coverage.py's words, and so is a run without data."""
    namespace_project(t)
    for settings, args in (
        ("source = nosuch, pack", ()), ("source_pkgs = nosuch", ()), ("source_pkgs = space.never, space", ()),
        ("source_pkgs = sys, nosuch, space.nothing", ()), ("include = x", ()), ("omit = *", ()), ("source = other", ()),
        ("source = nosuch\nparallel = true", ()), ("source_pkgs = pack.data.lost\nparallel = true", ()),
        ("source_pkgs = nosuch\ndisable_warnings = module-not-imported", ()),
        ("source_pkgs = nosuch\ndisable_warnings = no-data-collected", ()),
        ("source_pkgs = nosuch, sys\ndisable_warnings = no-data-collected, module-not-imported, module-not-python", ()),
    ):
        t.write(".coveragerc", f"[run]\n{settings}\n")
        env = {**t.env, "PYTHONPATH": t.python.coverage}
        theirs = t.run(t.py("-m", "coverage", "run", *args, "code/app.py"), env=env)
        ours = t.run([t.program, *args, "--", *t.py("code/app.py")], env=env)
        t.expect_equal((ours.status, theirs.status), (0, 0), f"status with {settings}")
        t.expect_equal(warnings_of(ours), warnings_of(theirs), f"warnings with {settings}; {ours.errors}; {theirs.errors}")
    data_files(t)
    t.write(".coveragerc", "")
    ours = t.trace(t.py("code/app.py"), ["--source=_ctypes,os,code"])
    t.expect_equal(warnings_of(ours), [("_ctypes", "module-not-python"), ("os", "module-not-measured")],
                   f"compiled, and frozen: {ours.errors}")


@case(only="debian-3.11 sid-3.14")
def no_data_but_old_data(t):
    program = t.write("app.py", "a = 1\n")
    for arguments, expected in ([], []), (["--omit=*", "--append"], []), (["--omit=*"], [("", "no-data-collected")]):
        run = t.run([t.program, *arguments, "--", *t.py(program)])
        t.expect_equal((run.status, warnings_of(run)), (0, expected), f"{arguments}: {run.errors}")
    run = t.trace(["true"])
    t.expect("true ran no Python: nothing was measured (no-data-collected)" in run.errors, "no Python", run.errors)
