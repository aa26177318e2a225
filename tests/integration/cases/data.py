"""The data file: where it is, what is in it, what coverage.py makes of it, and what may go wrong."""

import json
import os
import sqlite3
import subprocess

from harness import FULL, LIMIT, Failure, Skip, case, read_data

APP = "import helper\ndef f(x):\n    if x:\n        return 1\n    return 2\nf(1)\nprint(helper.g())\n"
HELPER = "def g():\n    return 'g'\ndef h():\n    return 'h'\n"


def program(t):
    t.write("helper.py", HELPER)
    return t.write("app.py", APP)


def with_coverage(t, *args):
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    env = dict(t.env, PYTHONPATH=t.python.coverage)
    return t.run(t.py("-m", "coverage", *args), env=env)


@case()
def coverage_reads_it(t):
    path = program(t)
    t.trace(t.py(path), ["--data-file", ".coverage"], data=False)
    report = with_coverage(t, "report", "-m")
    t.expect_equal(report.status, 0, "status of coverage report")
    rows = {words[0]: words[1:] for words in map(str.split, report.text.splitlines()) if len(words) > 3}
    t.expect_equal(rows.get("app.py"), ["7", "1", "86%", "5"], "report of app.py")
    t.expect_equal(rows.get("helper.py"), ["4", "1", "75%", "4"], "report of helper.py")
    made = with_coverage(t, "json", "-o", "out.json")
    t.expect_equal(made.status, 0, f"status of coverage json: {made}")
    files = json.loads((t.dir / "out.json").read_text())["files"]
    t.expect_equal(files["app.py"]["executed_lines"], [1, 2, 3, 4, 6, 7], "executed_lines")
    for kind in ("xml", "html", "lcov"):
        made = with_coverage(t, kind)
        t.expect(made.status == 0, f"coverage {kind}", made)


@case()
def coverage_combines_it(t):
    path = program(t)
    other = t.write("other.py", "a = 1\n")
    t.trace(t.py(path), ["--data-file", ".coverage.1"], data=False)
    t.trace(t.py(other), ["--data-file", ".coverage.2"], data=False)
    run = with_coverage(t, "run", "--data-file=.coverage.3", other)
    t.expect_equal(run.status, 0, "coverage run")
    run = with_coverage(t, "combine")
    t.expect(run.status == 0, "coverage combine", run)
    data = read_data(t.dir / ".coverage")
    t.expect_equal(data, {path: {1, 2, 3, 4, 6, 7}, other: {1}, str(t.dir / "helper.py"): {1, 2, 3}}, "combined")
    t.trace(t.py(other), ["--data-file", ".coverage"], data=False)
    run = with_coverage(t, "run", "--append", path)
    t.expect(run.status == 0, "coverage run --append", run)
    t.expect_equal(sorted(read_data(t.dir / ".coverage")), sorted([path, other, str(t.dir / "helper.py")]), "appended")


@case()
def tables(t):
    path = program(t)
    t.trace(t.py(path))
    db = sqlite3.connect(t.data_file)
    t.expect_equal(db.execute("pragma integrity_check").fetchone()[0], "ok", "integrity")
    t.expect_equal(db.execute("select version from coverage_schema").fetchall(), [(7,)], "coverage_schema")
    t.expect_equal(dict(db.execute("select key, value from meta"))["has_arcs"], "0", "has_arcs")
    t.expect_equal(db.execute("select context from context").fetchall(), [("",)], "contexts")
    names = {name for name, in db.execute("select name from sqlite_master where type = 'table'")}
    theirs = {"coverage_schema", "meta", "file", "context", "line_bits", "arc", "tracer"}
    t.expect(theirs <= names, "coverage.py's tables", names)
    ours = {name for name in names - theirs if not name.startswith("sqlite_")}
    t.expect(ours and all(name.startswith("pycov_trace") for name in ours), "tables of our own", names)
    db.close()
    left = sorted(p.name for p in t.dir.iterdir() if p.name not in ("__pycache__", ".cache"))
    t.expect_equal(left, ["app.py", "data", "helper.py"], "files left behind")


@case()
def places(t):
    path = program(t)
    inside = t.dir / "inside"
    inside.mkdir()
    command = t.py(path)
    for options, env, expected in (
        ([], {}, inside / ".coverage"),
        ([], {"COVERAGE_FILE": "by_env"}, inside / "by_env"),
        ([], {"COVERAGE_FILE": str(t.dir / "absolute")}, t.dir / "absolute"),
        (["--data-file", "by_option"], {"COVERAGE_FILE": "by_env2"}, inside / "by_option"),
        (["--data-file=../up"], {}, t.dir / "up"),
    ):
        run = t.trace(command, options, data=False, env=dict(t.env, **env), cwd=inside)
        t.expect(run.status == 0 and not run.err, "the run", run)
        t.expect(read_data(expected) is not None, f"{expected} is not there", run)
    mover = t.write("mover.py", "import os\nos.chdir('/')\nx = 1\n")
    t.trace(t.py(mover), ["--data-file", "moved"], data=False, cwd=inside)
    t.expect(read_data(inside / "moved") is not None, "the folder at the start counts")


@case()
def selection(t):
    t.write("src/pkg/__init__.py", "")
    used = t.write("src/pkg/used.py", "x = 1\n")
    unused = t.write("src/pkg/unused.py", "x = 1\ny = 2\n")
    path = t.write("app.py", "import sys\nsys.path.insert(0, 'src')\nimport pkg.used\nimport json\n")
    init = str(t.dir / "src/pkg/__init__.py")
    for ours in (
        [], ["--source=src"], ["--source", "src/pkg"], ["--include=*/used.py"], ["--omit=*/used.py"],
        ["--include=src/*", "--omit=*/__init__.py"], ["--source=src", "--omit=*/unused.py"], ["--include=app.py,*/u*"],
        ["--source=.", "--omit", "src/*"], ["--source=pkg"],
    ):
        run = t.trace(t.py(path), ours)
        oracle = t.coverage(path, options=ours)
        try:
            t.expect_oracle(run, oracle)
        except Failure as e:
            raise Failure(f"{ours}: {e}") from None
    run = t.trace(t.py(path), ["--source=src"])
    t.expect_equal(run.data, {used: {1}, unused: set(), init: run.data.get(init)}, "with --source")
    run = t.trace(t.py(path), ["--include=*/used.py", "--include", "*/json/__init__.py"])
    t.expect(any(name.endswith("/json/__init__.py") for name in run.data), "include reaches everywhere", sorted(run.data))
    run = t.trace(t.py(path), ["--pylib"])
    t.expect(any(name.endswith("/json/__init__.py") for name in run.data), "--pylib", sorted(run.data)[:20])


@case()
def cannot_be_written(t):
    """An error before the program starts."""
    path = t.write("app.py", "print('ran')\n")
    (t.dir / "folder").mkdir()
    t.write("file", "text")
    for target in ("folder", "no/such/folder/data", "file/data", "/proc/data", "folder/"):
        run = t.trace(t.py(path), ["--data-file", target], data=False)
        t.expect(run.status == 1 and not run.out, f"the program ran, with {target} as data file", run)
        t.expect(target.rstrip("/") in run.errors, "the message names it not", run)
        t.expect_equal(run.errors.count("\n"), 1, f"lines of {run.errors!r}")
    t.expect_equal((t.dir / "file").read_text(), "text", "the file in the way")


@case()
def replaced_at_once(t):
    """A reader never sees a broken file, and never the old one after the end."""
    path, other = program(t), t.write("other.py", "a = 1\n")
    t.trace(t.py(path))
    stop, bad = False, []
    reader = subprocess.Popen(
        ["/usr/bin/env", "python3", "-c", READER, str(t.data_file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        for i in range(30 if FULL else 8):
            run = t.run(t.traced(t.py(other if i % 2 == 0 else path)), leave=True)
            t.expect_equal(run.status, 0, "status")
            expected = {other} if i % 2 == 0 else {path, str(t.dir / "helper.py")}
            t.expect_equal(set(read_data(t.data_file)), expected, "files after the end")
    finally:
        out, _ = reader.communicate(b"\n", timeout=LIMIT)
    bad, reads = out.decode().split()
    t.expect(bad == "0" and int(reads) > 0, f"{bad} of {reads} reads saw a broken file")


READER = """
import select, sqlite3, sys
bad = reads = 0
while not select.select([0], [], [], 0)[0]:
    reads += 1
    try:
        db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
        n = len(db.execute("select path from file join line_bits on file.id = file_id").fetchall())
        ok = db.execute("pragma integrity_check").fetchone()[0] == "ok"
        db.close()
        bad += not ok or n not in (1, 2)
    except sqlite3.Error:
        bad += 1
print(bad, reads)
"""


@case()
def old_file_is_no_database(t):
    """Whatever lies at that name is replaced."""
    path = t.write("app.py", "x = 1\n")
    for content in (b"", b"text", b"SQLite format 3\0" + b"x" * 4000):
        t.write("data", content)
        run = t.run(t.traced(t.py(path)))
        t.expect(run.status == 0 and not run.err, "the run", run)
        t.expect_equal(read_data(t.data_file), {path: {1}}, "data")
    os.unlink(t.data_file)
    os.symlink("elsewhere", t.data_file)
    t.run(t.traced(t.py(path)))
    t.expect_equal(read_data(t.data_file), {path: {1}}, "data through a symbolic link")


@case()
def verbose(t):
    path = t.write("app.py", "x = 1\n")
    run = t.trace(t.py(path), ["-v"])
    t.expect(str(run.pid) in run.errors and t.python.full_version in run.errors, "pid and version", run)
    t.expect(str(t.data_file) in run.errors, "the data file", run)


@case()
def synced(t):
    path = t.write("app.py", "x = 1\n")
    t.expect_lines(t.trace(t.py(path), ["--sync"]), path, [1])
