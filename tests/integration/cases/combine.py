"""`combine` and `erase`, beside coverage.py's own."""

import json
import os
import random
import shutil
import sqlite3

from harness import FULL, Skip, case, lines_of

NEWEST = "debian-3.11 sid-3.14"

# Writes data files: [[name, {context: {path: lines or arcs}}, touched, has_arcs]...]
WRITER = """
import json, sys
from coverage.data import CoverageData
for name, contexts, touched, has_arcs in json.load(sys.stdin):
    d = CoverageData(name)
    for context, files in contexts.items():
        d.set_context(context)
        if has_arcs:
            d.add_arcs({path: [tuple(a) for a in arcs] for path, arcs in files.items()})
        else:
            d.add_lines(files)
    d.touch_files(touched)
    d.write()
"""


def with_coverage(t, *args, cwd=None, **how):
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    return t.run(t.py(*args), env={**t.env, "PYTHONPATH": t.python.coverage}, cwd=cwd, **how)


def write_data(t, files, cwd=None):
    run = with_coverage(t, "-c", WRITER, stdin=json.dumps(files).encode(), cwd=cwd)
    t.expect_equal(run.status, 0, f"writing data files: {run}")


def contents(path):
    """What a data file says, in an order."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    join = " join file on file.id = file_id join context on context.id = context_id"
    files = sorted(name for name, in db.execute("select path from file"))
    lines = sorted((p, c, sorted(lines_of(n))) for p, c, n in db.execute(
        "select path, context, numbits from line_bits" + join))
    arcs = sorted(db.execute("select path, context, fromno, tono from arc" + join))
    kind = dict(db.execute("select key, value from meta")).get("has_arcs")
    db.close()
    return files, [row for row in lines if row[2]], arcs, kind if lines or arcs else None


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def both(t, prepare, args=(), what=""):
    """Combine in two like folders, by either program: the same status, message, data and files left."""
    results = []
    template, folder = t.dir / "template", t.dir / "here"
    shutil.rmtree(template, ignore_errors=True)
    template.mkdir()
    prepare(template)
    for program in ("theirs", "ours"):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        if program == "theirs":
            run = with_coverage(t, "-m", "coverage", "combine", *args, cwd=folder)
        else:
            run = t.run([t.program, "combine", *args], cwd=folder)
        data = folder / ".coverage"
        results.append((run, contents(data) if data.exists() and data.stat().st_size else None, names(folder)))
    (theirs, expected, left), (ours, got, our_left) = results
    t.expect_equal(ours.status, theirs.status, f"status {what}: {theirs} and {ours}")
    t.expect_equal(got, expected, f"data {what}; {ours}")
    t.expect_equal(our_left, left, f"files left {what}; {ours}")
    if theirs.status == 0:
        t.expect_equal(ours.errors.splitlines()[-1:], theirs.errors.splitlines()[-1:], f"message {what}; {ours}")
    else:
        said = theirs.text.strip().rstrip(".")
        t.expect(said in ours.errors or "wildcard" in said and "wildcard" in ours.errors,
                 f"the words of coverage.py, {said!r}, {what}", ours)
    return ours


LINES = [
    [".coverage.a", {"": {"/x/a.py": [1, 2, 900], "/x/b.py": [5]}, "night": {"/x/a.py": [3]}}, ["/x/never.py"], 0],
    [".coverage.b", {"": {"/x/a.py": [1, 4], "/x/c.py": [70000]}, "day|f": {"/x/b.py": [6]}}, [], 0],
    [".coverage.c", {"": {"/x/d.py": []}}, ["/x/only touched.py"], 0],
]
ARCS = [
    [".coverage.a", {"": {"/x/a.py": [[-1, 1], [1, 2], [2, -1]]}, "n": {"/x/a.py": [[1, 2]]}}, ["/x/never.py"], 1],
    [".coverage.b", {"": {"/x/a.py": [[1, 3], [1, 2]], "/x/b.py": [[-4, 4]]}}, [], 1],
]


@case(only=NEWEST)
def same_as_coverage(t):
    for what, files, args in (
        ("of lines", LINES, []),
        ("of lines, kept", LINES, ["--keep"]),
        ("of arcs", ARCS, []),
        ("of named files", LINES, [".coverage.a", ".coverage.c"]),
        ("of folders", [["sub/.coverage.1", *LINES[0][1:]], ["sub/.coverage.2", *LINES[1][1:]],
                        ["sub/other.3", *LINES[2][1:]], ["two/.coverage.9", *LINES[1][1:]]], ["sub", "two"]),
        ("of nothing", [], []),
        ("of what is not there", LINES, ["missing"]),
        ("with an old file", LINES + [[".coverage", {"": {"/x/old.py": [1]}}, [], 0]], []),
        ("appended", LINES + [[".coverage", {"": {"/x/old.py": [1], "/x/a.py": [77]}}, [], 0]], ["--append"]),
        ("appended to nothing", LINES, ["-a"]),
        ("of lines and arcs", [LINES[0], ARCS[1]], []),
        ("of arcs and lines", [ARCS[0], LINES[1]], []),
        ("appended arcs to lines", [[".coverage", *LINES[0][1:]], ARCS[1]], ["-a", "--keep"]),
        ("quietly", LINES, ["-q"]),
    ):
        def prepare(folder):
            for name in ("sub", "two"):
                (folder / name).mkdir()
            write_data(t, files, cwd=folder)
            if (folder / ".coverage.a").exists():
                shutil.copy(folder / ".coverage.a", folder / ".coverage.same")

        if "and" in what.split() or "arcs to" in what:
            # coverage.py has written half of it by then; here nothing has changed
            refused(t, prepare, args, what)
        else:
            both(t, prepare, args, what)


def refused(t, prepare, args, what):
    folder = t.dir / "refused"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    prepare(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    ours = t.run([t.program, "combine", *args], cwd=folder)
    theirs = with_coverage(t, "-m", "coverage", "combine", *args, cwd=shutil.copytree(folder, t.dir / "copy"))
    shutil.rmtree(t.dir / "copy")
    t.expect_equal(ours.status, 1, f"status {what}")
    said = theirs.text.split(":")[0]
    t.expect("Can't combine" in said and said in ours.errors, f"the words of coverage.py {what}", ours, theirs)
    t.expect_equal({p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}, before, f"the files {what}")


PATHS = [
    "[paths]\nsource =\n  src\n  /ci/*/src\n",
    "[paths]\nsource = src/\n  /ci/*/src/\n",
    "[paths]\nsource = src\n  */site-packages/\n",
    "[paths]\nsource = src\n  **/lib*/x\n",
    "[paths]\nsource = src\n  C:\\w\\src\n  c:\\users\\*\\src\n",
    "[paths]\none = missing\n  /ci\ntwo = .\n  /ci/1\n",
    "[paths]\none = ./src\n  /CI/1/SRC\n",
    "[run]\nrelative_files = true\n",
    "[run]\nrelative_files = true\n[paths]\nsource = src\n  */ci/*/src\n",
    "[run]\nrelative_files = true\n[paths]\nsource = ./src\n  */ci/*/src\n",
    "[paths]\nsource = src\n  /ci/*\n",
    "[paths]\nsource = src\n  /ci/[0-9]/src\nother = pkg\n  /nowhere\n",
    "[paths]\nsource = src\n  ci/2/src\n",
    "[paths]\nsource = src\n",
]
NAMES = ["/ci/1/src/a.py", "/ci/2/src/a.py", "/ci/2/src/sub/b.py", "/ci/2/src/gone.py", "/CI/1/SRC/a.py", "/usr/a.py",
         "/v/lib/python3/site-packages/a.py", "/q/lib64/x/sub/b.py", "C:\\w\\src\\a.py", "c:\\Users\\me\\src\\sub\\b.py",
         "src/a.py", "src\\a.py", "a.py", "sub/b.py", "/ci/1/src", "/x/src/sub/b.py", "src/z.zip/inner.py"]


@case(only="debian-3.11")
def names_are_mapped(t):
    rng = random.Random(3)
    for n, text in enumerate(PATHS):
        files = []
        for i in range(3):
            some = rng.sample(NAMES, 9)
            files.append([f".coverage.{i}", {"": {name: [i + 1, 10 + k] for k, name in enumerate(some)}}, NAMES[:3], 0])

        def prepare(folder):
            (folder / ".coveragerc").write_text(text)
            for name in ("src/a.py", "src/sub/b.py", "pkg/c.py", "src/z.zip"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text("")
            files[0][1][""][f"{t.dir}/here/src/a.py"] = [99]
            files[1][1][""][f"{t.dir}/here/ci/2/src/a.py"] = [98]
            write_data(t, files, cwd=folder)

        both(t, prepare, [], f"with {text!r} ({n})")


@case(only="debian-3.11")
def own_tables(t):
    """What only pycov-trace records is combined and mapped as well."""
    t.write("src/mod.py", "def f(x):\n    if x:\n        return 1\n    return 2\n")
    app = t.write("app.py", "import sys\nsys.path.insert(0, 'src')\nimport mod\nmod.f(int(sys.argv[1]))\n")
    t.write("elsewhere/src/mod.py", (t.dir / "src/mod.py").read_text())
    for i in (0, 1):
        run = t.trace(t.py(app, i), ["--data-file", f".coverage.{i}"], data=False)
        t.expect_equal(run.status, 0, f"run {i}: {run}")
    shutil.move(t.dir / "elsewhere", t.dir / "moved")
    t.write(".coveragerc", f"[paths]\nsource =\n  {t.dir}/moved/src\n  {t.dir}/src\n")
    run = t.run([t.program, "combine", "--keep"])
    t.expect_equal((run.status, run.errors), (0, "Combined 2 files\n"), f"combine: {run}")
    db = sqlite3.connect(t.dir / ".coverage")
    mod = f"{t.dir}/moved/src/mod.py"
    rows = db.execute("select name, first_line, numbits from pycov_trace_function join file on file.id = file_id"
                      " where path = ? order by first_line, name", (mod,)).fetchall()
    t.expect_equal([(name, line) for name, line, _ in rows], [("<module>", 1), ("f", 1)], "functions")
    executable, = db.execute("select numbits from pycov_trace_executable join file on file.id = file_id where path = ?",
                             (mod,)).fetchone()
    t.expect_equal(lines_of(executable), {1, 2, 3, 4}, "executable lines")
    db.close()
    t.expect_equal(dict((p, l) for p, _, l in contents(t.dir / ".coverage")[1])[mod], [1, 2, 3, 4], "lines")
    report = with_coverage(t, "-m", "coverage", "report")
    t.expect("TOTAL" in report.text and report.status == 0, "coverage report of it", report)


@case(only="debian-3.11")
def broken_files_are_left(t):
    write_data(t, [LINES[0]])
    good = (t.dir / ".coverage.a").read_bytes()
    for name, content in broken(good).items():
        t.write(f".coverage.{name}", content)
    (t.dir / ".coverage.dir").mkdir()
    os.mkfifo(t.dir / ".coverage.fifo")
    os.symlink("/nonexistent/file", t.dir / ".coverage.link")
    n = len(broken(good)) + 3
    run = t.run([t.program, "combine"])
    last = run.errors.splitlines()[-1]
    t.expect_equal((run.status, run.out, last), (0, b"", f"Combined 1 file, {n} files errored"), f"combine: {run}")
    t.expect_equal(run.errors.count("pycov-trace: warning: cannot combine "), n, f"warnings in {run.errors}")
    t.expect_equal(run.errors.count("\n"), n + 1, "lines")
    left = sorted(p.name for p in t.dir.glob(".coverage.*"))
    t.expect_equal(left, sorted([f".coverage.{name}" for name in (*broken(good), "dir", "fifo", "link")]), "left")
    before = (t.dir / ".coverage").read_bytes()
    run = t.run([t.program, "combine"])
    t.expect_equal((run.status, run.errors.splitlines()[-1]), (1, "pycov-trace: No usable data files"), f"again: {run}")
    t.expect_equal((t.dir / ".coverage").read_bytes(), before, "the data file")


def broken(good):
    """Files that are none, by name."""
    page = bytearray(good)
    page[4096:8192] = b"\xff" * 4096
    middle = bytearray(good)
    for i in range(100, len(middle), 97):
        middle[i] ^= 0x55
    return {
        "empty": b"",
        "short": good[:1000],
        "cut": good[:len(good) // 2],
        "text": b"no database\n" * 1000,
        "zeros": bytes(8192),
        "header": good[:100],
        "page": bytes(page),
        "noise": bytes(middle),
        "json": b'!coverage.py: This is a private format, don\'t read it directly!{"lines":{}}',
    }


@case(only="debian-3.11")
def shown_as_coverage_shows_it(t):
    write_data(t, [[".coverage", *ARCS[0][1:]], *LINES[:2]])
    theirs = with_coverage(t, "-m", "coverage", "debug", "data")
    ours = t.run([t.program, "debug", "data"])
    t.expect_equal((ours.status, ours.text.splitlines()), (0, theirs.text.splitlines()[1:]), "debug data")


@case(only="debian-3.11")
def erased(t):
    write_data(t, [[".coverage", *LINES[0][1:]], [".coverage.a.1", *LINES[0][1:]], ["other", *LINES[0][1:]]])
    run = t.run([t.program, "erase"])
    t.expect_equal((run.status, run.out, run.err), (0, b"", b""), f"erase: {run}")
    t.expect_equal(names(t.dir), [".coverage.a.1", "other"], "left")
    t.expect_equal(t.run([t.program, "erase"]).status, 0, "status with nothing to erase")
    t.expect_equal(t.run([t.program, "erase", "--data-file=other"]).status, 0, "--data-file")
    t.write(".coveragerc", "[run]\nparallel = true\n")
    t.expect_equal(t.run([t.program, "erase"]).status, 0, "status with parallel")
    t.expect_equal(names(t.dir), [".coveragerc"], "left")
    (t.dir / ".coverage").mkdir()
    run = t.run([t.program, "erase"])
    t.expect(run.status == 1 and ".coverage" in run.errors, "a folder", run)


@case(only="debian-3.11")
def memory_does_not_grow(t):
    """Several times as many files take the same memory."""
    rng = random.Random(5)
    few, many = t.dir / "few", t.dir / "many"
    for folder, n in ((few, 20), (many, 400 if FULL else 120)):
        folder.mkdir()
        write_data(t, [[f".coverage.{i}", {"": {f"/src/mod{j}.py": rng.sample(range(1, 3000), 300) for j in range(20)}},
                        [], 0] for i in range(n)], cwd=folder)
    peaks = []
    for folder in (few, many):
        run = t.run(["/usr/bin/env", "python3", "-c", PEAK, t.program, "combine", "-q"], cwd=folder)
        t.expect_equal(run.status, 0, f"combine: {run}")
        peaks.append(int(run.text))
    t.expect(peaks[1] < peaks[0] + 1024, f"peaks in KiB: {peaks}")


PEAK = """
import os, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
