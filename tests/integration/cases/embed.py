"""C programs that embed Python: linked to it, or opening it after they have started."""

import re
from pathlib import Path

from harness import TARGETS, Skip, case, load_pythons

MODES = ("exec_code_module", "eval_code", "run_simple_string", "run_string", "run_file")
SCRIPT = "import sys\ndef f(x):\n    if x:\n        return 1  # hit\n    return 2  # miss\nprint(f(1))  # hit\n"


def library(t):
    if t.python.kind != "shared" or t.python.root:
        return None
    major = ".".join(map(str, t.python.version))
    path = Path(t.python.exe).parent.parent / "lib" / f"libpython{major}.so.1.0"
    return path if path.exists() else None


def build(t, linked):
    path = library(t)
    program = t.dir / ("linked" if linked else "opening")
    flags = [f"-L{path.parent}", f"-Wl,-rpath,{path.parent}", "-Wl,--no-as-needed",
             f"-lpython{'.'.join(map(str, t.python.version))}"] if linked else []
    made = t.run(["gcc", "-O1", "-w", "-rdynamic", "-o", program, TARGETS / "embed.c", *flags, "-ldl", "-lpthread"])
    if made.status:
        raise Skip(f"embed.c cannot be built: {made.errors[-200:]}")
    t.env["PYTHONHOME"] = str(path.parent.parent)
    return [str(program), "-" if linked else str(path)]


def measured(t, argv, *paths):
    run = t.both(argv)
    t.expect(run.status == 3 and run.text.endswith("embedded\n"), "it failed", run)
    for path in paths:
        t.expect_marks(run, path)


def doors(t, linked):
    if not library(t):
        return
    program, path, other = build(t, linked), t.write("script.py", SCRIPT), t.write("other.py", "x = 2\n" + SCRIPT)
    for mode in MODES:
        measured(t, [*program, mode, path], path)
    measured(t, [*program, "eval_code", path, "thread"], path)
    measured(t, [*program, "exec_code_module", path, "thread"], path)
    for mode in ("eval_code", "run_file"):
        measured(t, [*program, mode, path, "again", other], path, other)


@case()
def linked(t):
    doors(t, True)


@case()
def opened_later(t):
    doors(t, False)


@case()
def linked_and_never_used(t):
    """It has libpython, and runs no Python: nothing happens to it."""
    if not library(t):
        return
    program = build(t, True)
    plain, traced = t.run(program), t.trace(program)
    t.expect_equal((traced.status, traced.out), (plain.status, plain.out), "end")


def shared(python):
    """A libpython that is there for all to see, and its home."""
    name = f"libpython{'.'.join(map(str, python.version))}.so.1.0"
    home = Path(python.exe).parent.parent
    return [str(home / "lib" / name), str(home)] if python.kind == "shared" and not python.root and \
        (home / "lib" / name).exists() else None


@case(only="pyenv-3.8 pyenv-3.10 pyenv-3.11 pyenv-3.12")
def two_runtimes(t):
    """The one that comes first is measured, the other one runs as it would, and is named; neither notices."""
    others = [p for p in load_pythons() if shared(p) and p.name != t.python.name]
    if not shared(t.python) or not others:
        raise Skip("two libpythons are needed")
    program = t.dir / "two"
    made = t.run(["gcc", "-O1", "-o", program, TARGETS / "two_pythons.c", "-ldl"])
    t.expect_equal(made.status, 0, f"gcc: {made.errors}")
    mine, its = t.write("mine.py", SCRIPT), t.write("its.py", SCRIPT)
    for other in (others[0], others[-1]):
        command = [str(program), *shared(t.python), mine, *shared(other), its]
        plain, run = t.run(command), t.trace(command)
        said = rf"pycov-trace: warning: Python {re.escape(other.full_version)} in .* is not measured: .*\n"
        t.expect(re.fullmatch(said, run.errors), "the other one is not named", run)
        run.err = b""
        t.expect_same(plain, run)
        t.expect(run.status == 3 and run.text.endswith("both\n"), "it failed", run)
        t.expect_marks(run, mine)
        with t.difference("a second Python runtime in one process"):
            t.expect_marks(run, its)
