"""The configuration files: what is read from them is what coverage.py reads."""

import json
import os
import random

from harness import FULL, Skip, case

NEWEST = "debian-3.11 sid-3.14"  # interpreters with the coverage.py whose settings are known here

# Reads file names, yields for each the settings as `pycov-trace debug config` has them, or the error.
ORACLE = """
import json, os, sys
from coverage.config import CoverageConfig, read_coverage_config
from coverage.exceptions import CoverageException
skip = {"run:_crash"}
out = []
for line in sys.stdin:
    folder, rcfile = json.loads(line)
    os.chdir(folder)
    warnings = []
    try:
        c = read_coverage_config(True if rcfile is None else rcfile, warnings.append)
    except (CoverageException, UnicodeDecodeError, IndexError, TypeError) as e:
        out.append(["error", type(e).__name__ + ": " + str(e)])
        continue
    d = {where: getattr(c, attr) for attr, where, *_ in CoverageConfig.CONFIG_FILE_OPTIONS if where not in skip}
    if "multiprocessing" in c.concurrency:
        d["run:parallel"] = True  # Coverage._init() does so
    d["run:source"] = d["run:source"] or []
    d["report:include"] = d["report:include"] or []
    d["report:omit"] = d["report:omit"] or []
    d["report:contexts"] = d["report:contexts"] or []
    d["run:data_file"] = d["run:data_file"] or ".coverage"
    d.update({"paths:" + k: v for k, v in c.paths.items()})
    d["file"] = c.config_file and os.path.relpath(c.config_file)
    out.append([sorted(warnings), d])
json.dump(out, sys.stdout)
"""


def oracle(t, questions, env=None):
    """What coverage.py makes of each (folder, rcfile)."""
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    text = "".join(json.dumps([str(folder), rcfile]) + "\n" for folder, rcfile in questions)
    run = t.run(t.py("-c", ORACLE), stdin=text.encode(), env={**(env or t.env), "PYTHONPATH": t.python.coverage})
    t.expect_equal(run.status, 0, f"status of the oracle: {run}")
    return json.loads(run.text)


def settings(t, folder, rcfile=None, env=None):
    """What pycov-trace makes of it: its run, and the settings."""
    options = [] if rcfile is None else [f"--rcfile={rcfile}"]
    run = t.run([t.program, "debug", *options, "config"], cwd=folder, env=env)
    found = {}
    for line in run.text.split("\n")[:-1]:
        name, _, value = line.partition(" = ")
        found[name] = json.loads(value)
    if found.get("file"):
        found["file"] = os.path.relpath(os.path.join(folder, found["file"]), folder)
    return run, found


def compare(t, questions, env=None):
    differing = []
    for (folder, rcfile), (warnings, theirs) in zip(questions, oracle(t, questions, env)):
        run, ours = settings(t, folder, rcfile, env)
        if warnings == "error":
            if run.status != 1 or not run.errors.startswith("pycov-trace: "):
                differing.append((folder, rcfile, theirs, run))
        elif run.status != 0 or ours != theirs or run.errors.count("unknown setting") != len(warnings):
            keys = {k: (ours.get(k), theirs.get(k)) for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)}
            differing.append((folder, rcfile, keys, warnings, run))
    t.expect(not differing, f"{len(differing)} of {len(questions)} differ", *differing[:5])


INI = [
    "",
    "[run]\nbranch = true\nsource = a, b\n    c\n\n  d # e ; f\n",
    "[run]\n  source = a\n  omit = b\n   c\n include = d\n",
    "[run]\nsource:\n  a\n# comment\n  b\n; another\n  c\n\n\n  d\nomit=x\n",
    "[coverage:run]\nomit = long\n[run]\nomit = short\n",
    "[DEFAULT]\nomit = everywhere\n[run]\nparallel = yes\n[report]\nomit = here\n",
    "[run]\nparallel = ON\ncover_pylib = 1\ntimid=No\nsigterm=off\n",
    "[run]\nparallel = maybe\n",
    "[run]\nparallel =\n",
    "[run]\nparallel\n",
    "[run]\nparallel = true\nparallel = true\n",
    "[run]\nx=1\n[run]\ny=1\n",
    "omit = x\n[run]\n",
    "[run\nomit = x\n",
    "[run] ; behind\nomit = x ; y\n",
    "[a]b]\nx = y\n[run]\nomit = a]b\n",
    "[run]\n= x\n",
    "[run]\nOMIT = Upper\nPaRaLLel = True\n",
    "[run]\nomit = \u00a0x\u00a0\u3000\n\u2003y\n",
    "[run]\r\nomit = a\r\n  b\r\rinclude = c\r\n",
    "[run]\nomit = %(x)s %%\n",
    "[run]\ndata_file = ~/data\ncontext = ~/not\n[html]\ndirectory = ~\nextra_css = ~/x.css\n[paths]\nz = ~/a\n b\na = c\n",
    "[run]\ndata_file = ~nobody-of-this-name/x\n",
    "[run]\ndata_file =\n",
    "[run]\ncontext = $ONE ${TWO} ${TWO-x} ${NONE-y z} $$ONE ${ONE?} $ {} $NONE. ${ONE ${NONE?more}\n",
    "[run]\ncontext = ${NONE?}\n",
    "[run]\ncontext = ${EMPTY-x} ${EMPTY?} $EMPTY|\nomit = $LIST,z\n",
    "[report]\nexclude_lines =\n   a, b  \n\n  c $$\nexclude_also = d\n  e\npartial_also = f\nprecision = 3\nfail_under = 92.5\n",
    "[report]\nprecision = 1_0\nfail_under = 1e1\n",
    "[report]\nprecision = 1.5\n",
    "[report]\nprecision = _1\n",
    "[report]\nfail_under = 0x10\n",
    "[report]\nfail_under = -Infinity\n",
    "[report]\nfail_under = high\n",
    "[run]\nunknown = 1\n[xml]\noutput = x\npackage_depth = +7\nother = 2\n[other]\nz = 1\n",
    "[json]\noutput = j\npretty_print = 1\nshow_contexts = 1\n[lcov]\noutput = l\nline_checksums = 1\n",
    "[html]\nskip_covered = 1\nskip_empty = 0\ntitle = A  B\n  C\nshow_contexts = 1\n",
    "[run]\nconcurrency = thread, multiprocessing\n",
    "[run]\nconcurrency = gevent, eventlet\n",
    "[run]\nconcurrency = fibers\n",
    "[run]\npatch = subprocess, _exit\ndisable_warnings = a,b\nplugins = p.q\n  r\ndynamic_context = test_function\n",
    "[run]\ncommand_line = -m app 'a b'\n  --more\n[report]\nsort = -Cover\nformat = markdown\ncontexts = a.*\n",
    "\ufeff[run]\nomit = x\n",
    b"[run]\nomit = \xff\n",
    "[paths]\nsource =\n  src\n  */site-packages\n\nother = a,b\n",
    "[DEFAULT]\np = q\n[paths]\nsource = a,b\n",
]

TOML = [
    "",
    "[run]\nbranch = true\nsource = ['a', \"b\"]\n",
    "[tool.coverage.run]\nomit = ['x']\n[run]\nomit = ['y']\n",
    "[tool.coverage]\nrun = {omit = ['x'], parallel = 'true'}\n",
    "tool.coverage.run.omit = ['dotted']\n",
    "[run]\nomit = 'x'\n",
    "[run]\nomit = ['x', 1]\n",
    "[run]\nparallel = 1\n",
    "[run]\nparallel = 'True'\n",
    "[run]\nomit = ['x'\n",
    "[run]\nomit = []\nomit = []\n",
    "[run]\ndata_file = '~/data'\ncontext = '$ONE ${NONE-z}'\nomit = ['$LIST', '${TWO}']\n",
    "[run]\ndata_file = 3\n",
    "[run]\ncontext = '${NONE?}'\n",
    "[report]\nfail_under = 90\nprecision = 2\nexclude_also = ['  a  ', '', 'b\\d']\n",
    "[report]\nfail_under = '90.5'\nprecision = '2'\n",
    "[report]\nprecision = 2.5\n",
    "[report]\nfail_under = [1]\n",
    "[paths]\nz = ['~/a', 'b']\na = ['c']\nm = ['d']\n",
    "[paths]\nz = 'a'\n",
    "[run]\nfoo = 1\n[html]\nskip_covered = false\ntitle = \"\"\"a\nb\"\"\"\n",
    "[project]\nname = 'x'\n[[tool.other]]\na = 1\n[[tool.other]]\nb = 2\n",
    b"[run]\nomit = ['\xff']\n",
]

ENV = {"ONE": "1", "TWO": "2 3", "LIST": "p,q", "EMPTY": ""}


def files(t, texts, name):
    """A folder with a file of that name for each text."""
    found = []
    for i, text in enumerate(texts):
        folder = t.dir / f"{name.lstrip('.')}{i}"
        folder.mkdir()
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        found.append(folder)
    return found


@case(only=NEWEST)
def read_as_coverage_reads_it(t):
    env = {**t.env, **ENV}
    questions = [(f, None) for f in files(t, INI, ".coveragerc")]
    questions += [(f, None) for f in files(t, TOML, ".coveragerc.toml")]
    for name in ("setup.cfg", "tox.ini"):
        texts = [x.replace("[run]", "[coverage:run]").replace("[paths]", "[coverage:paths]")
                 for x in INI if isinstance(x, str)]
        questions += [(f, None) for f in files(t, texts, name)]
    texts = [x.replace("[run]", "[tool.coverage.run]").replace("[paths]", "[tool.coverage.paths]")
             for x in TOML if isinstance(x, str)]
    questions += [(f, None) for f in files(t, texts, "pyproject.toml")]
    compare(t, questions, env)


@case(only=NEWEST)
def random_ini(t):
    """Files put together at random: of lines that are mostly right, and some of anything."""
    names = ["omit", "source", "parallel", "context", "precision", "include", "Debug", "exclude_lines", "title", "x"]
    values = ["a.py", "true", "1", "a, b", "$ONE", "${TWO}$$", "é", "[x]", "x ; y", "p = q", "r: s", "", "\u2003z \u2003", "]"]
    noise = ["[", "]", "=", ":", "#", ";", " ", "\t", "\r", "\n", ",", "$", "{", "}", "\x0b", "\u2028", "~"]
    rng = random.Random(7)

    def line():
        indent = rng.choice(["", "", "", " ", "  ", "    ", "\t", "\u2003"])
        kind = rng.randrange(10)
        if kind < 4:
            separator = rng.choice(["=", " = ", ":", " : ", "= "])
            return indent + rng.choice(names) + separator + rng.choice(values)
        if kind < 7:
            return "  " + indent + rng.choice(values)
        if kind == 7:
            return indent + rng.choice(["# c", ";c = d", "", "  "])
        if kind == 8:
            return indent + rng.choice(["[report]", "[html]", "[coverage:run]", "[DEFAULT]", "[paths]", "[other] x"])
        return "".join(rng.choice(noise + values) for _ in range(rng.randrange(3)))

    texts = []
    for _ in range(4000 if FULL else 300):
        lines = [rng.choice(["[run]", "[report]", "[paths]"])] + [line() for _ in range(rng.randrange(1, 7))]
        texts.append(rng.choice(["\n", "\n", "\r\n"]).join(lines))
    questions = [(f, None) for f in files(t, texts, ".coveragerc")]
    compare(t, questions, {**t.env, **ENV})
    good = sum(warnings != "error" for warnings, _ in oracle(t, questions, {**t.env, **ENV}))
    t.expect(good > len(texts) / 4, "enough of the files are right", good)


@case(only=NEWEST)
def order_of_files(t):
    """The first file that has settings, and what --rcfile and the environment say."""
    names = [".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml"]
    toml = ".toml".__eq__
    questions = []
    for mask in range(32):
        folder = t.dir / f"order{mask}"
        folder.mkdir()
        for i, name in enumerate(names):
            if not mask >> i & 1:
                continue
            section = "run" if i < 2 else "tool.coverage.run" if toml(name[-5:]) else "coverage:run"
            value = f"['{name}']" if toml(name[-5:]) else name
            (folder / name).write_text(f"[{section}]\nomit = {value}\n")
        questions.append((folder, None))
    for rcfile in (*names, "missing", ".", "", "tox.ini"):
        questions.append((t.dir / "order31", rcfile))
    bare = t.dir / "bare"
    bare.mkdir()
    (bare / ".coveragerc").mkdir()
    (bare / "setup.cfg").write_text("[run]\nomit = not ours\n")
    (bare / "tox.ini").write_text("[coverage:nothing]\nomit = not ours\n")
    (bare / "pyproject.toml").write_text("[tool.coverage]\n")
    (bare / "other.cfg").write_text("[run]\nomit = short\n[report]\nomit=x\n[coverage:report]\nomit=y\n")
    questions += [(bare, None), (bare, "other.cfg"), (bare, "setup.cfg"), (bare, "./.coveragerc")]
    compare(t, questions)
    compare(t, questions, {**t.env, "COVERAGE_RCFILE": "tox.ini", "COVERAGE_FILE": "elsewhere",
                           "COVERAGE_DEBUG": "trace, data"})


@case(only="debian-3.11")
def errors_have_a_place(t):
    for name, text, place in (
        (".coveragerc", "[run]\nomit = a\nomit = b\n", ".coveragerc:3:1: "),
        (".coveragerc", "[run]\n\n  parallel = perhaps\n", ".coveragerc:3:14: "),
        ("setup.cfg", "x = 1\n", "setup.cfg:1:1: "),
        ("pyproject.toml", "[tool]\nx = [1,\n\n= 3\n", "pyproject.toml:4:1: "),
        ("pyproject.toml", "[tool.coverage.run]\nparallel = 3\n", "pyproject.toml:2:12: "),
        ("pyproject.toml", "[a]\nb = 1\n[=ru\n", "pyproject.toml:3:1: "),
        ("pyproject.toml", "a = " + 100000 * "[", "pyproject.toml:1:"),
        ("pyproject.toml", 100000 * "a." + "a = 1\n", "pyproject.toml:1:"),
    ):
        folder = t.dir / f"case-{name}-{len(text)}"
        folder.mkdir()
        (folder / name).write_text(text)
        run, _ = settings(t, folder)
        t.expect(run.status == 1 and run.errors.startswith(f"pycov-trace: {place}") and run.errors.count("\n") == 1,
                 f"the place of an error in {text!r}", run)
