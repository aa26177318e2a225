"""--branch: coverage.py reports of our data what it reports of its own."""

import json
import os
import re
import signal
import sqlite3

from attaching import Attached
from harness import FULL, LIMIT, TARGETS, Skip, case, version_of
from processes import Talk

CORPUS = TARGETS / "branches"
SOME = "pyenv-3.8 bullseye-3.9 debian-3.11 pyenv-3.12 sid-3.15"

# What we count as missing and coverage.py does not; such a row must be true.
DIFFERENCES = TARGETS.parent / "known_differences_branches.tsv"

MAIN = """\
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def coverage(t, *args):
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    run = t.run(t.py("-m", "coverage", *args), env={**t.env, "PYTHONPATH": t.python.coverage}, limit=6 * LIMIT)
    t.expect_equal(run.status, 0, f"coverage.py: {run}")
    return run


def read_json(t, data):
    coverage(t, "json", "-q", f"--data-file={data}", "-o", f"{data}.json")
    return json.loads((t.dir / f"{data}.json").read_text())["files"]


def arcs_of(path):
    db = sqlite3.connect(path)
    try:
        return {name: {tuple(arc) for arc in db.execute("select fromno, tono from arc where file_id = ?", (i,))}
                for i, name in db.execute("select id, path from file").fetchall()}
    finally:
        db.close()


def listed(t, program):
    """{kind: lines of the source}"""
    ret = {}
    _, *rows = [line.split("\t") for line in DIFFERENCES.read_text().splitlines()]
    for name, versions, kind, text, _ in rows:
        first, _, last = versions.partition("-")
        if name == program and version_of(first) <= t.version <= version_of(last or first):
            ret.setdefault(kind, []).append(text)
    return ret


def expect_same_files(t, ours, theirs):
    t.expect_equal(sorted(ours), sorted(theirs), "files")
    for name in sorted(ours):
        a, b, known = ours[name], theirs[name], listed(t, os.path.basename(name))
        source = (t.dir / name).read_text().splitlines()
        for kind in ("missing_lines", "missing_branches"):
            more = [item for item in a[kind] if item not in b[kind]]
            less = [item for item in b[kind] if item not in a[kind]]
            line = {str(item): source[(item if kind == "missing_lines" else item[0]) - 1].strip() for item in more}
            named = [item for item in more if line[str(item)] in known.get(kind, [])]
            t.expect_equal(([item for item in more if item not in named], less), ([], []), f"{name}: {kind}, ours, theirs")
            t.expect_equal(len(named), len(known.get(kind, [])), f"{name}: differences that are listed")
        if not known:
            t.expect_equal(a["summary"], b["summary"], f"summary of {name}")


def compare(t, *argv, limit=LIMIT):
    """The program does the same with us and without, and coverage.py says the same of it."""
    argv = [str(arg) for arg in argv]
    t.env["PYTHONHASHSEED"] = "0"
    t.env["PYTHONDONTWRITEBYTECODE"] = "1"
    plain = t.run(t.py(*argv), limit=limit)
    t.expect_equal(plain.status, 0, f"plain: {plain}")
    t.data_file = t.dir / "ours"
    t.expect_same(plain, t.trace(t.py(*argv), ["--branch"], limit=limit))
    coverage(t, "run", "--branch", "--data-file=theirs", *argv)
    expect_same_files(t, read_json(t, "ours"), read_json(t, "theirs"))


def corpus(t):
    names = []
    for path in sorted(CORPUS.glob("*.py")):
        since = re.match(r"# since: (\S+)", path.read_text())
        if not since or t.version >= version_of(since[1]):
            t.write(path.name, path.read_bytes())
            names.append(path.stem)
    return [t.write("main.py", MAIN), *names]


@case()
def programs(t):
    compare(t, *corpus(t))
    if t.version < (3, 10):
        return  # coverage.py's last versions for these count other branches
    ours = t.run([t.program, "report", "-m", "--data-file=ours", f"--python={t.python.command}"])
    t.expect_equal(ours.text, coverage(t, "report", "-m", "--data-file=ours").text, "our own report")


@case(only=None if FULL else "pyenv-3.8 pyenv-3.9 pyenv-3.13 sid-3.14")
def modules(t):
    compare(t, TARGETS / "branches_modules.py", t.dir, limit=3 * LIMIT)


WAYS = """\
import os, subprocess, sys, threading
def f(n):
    if n:
        a = 1
    elif n is None:
        a = 2
    for i in range(n or 0):
        break
    return n
if sys.argv[1:]:
    f(None)
    sys.exit()
f(1)
if not os.fork():
    f(0)
    os.kill(os.getpid(), 9)
os.wait()
t = threading.Thread(target=f, args=[0])
t.start()
t.join()
subprocess.run([sys.executable, __file__, "child"])
"""
# of f(), but for those of a line to itself
OF_1 = {(3, 4), (4, 7), (7, 8), (8, 9), (9, -2)}
OF_0 = {(3, 5), (5, 7), (7, 9), (9, -2)}
OF_NONE = {(3, 5), (5, 6), (6, 7), (7, 9), (9, -2)}


def of_function(arcs, first=2, last=9):
    return {(a, b) for a, b in arcs if a != b and first <= a <= last} - {(2, 10)}


def flow(arcs):
    """Those that coverage.py's reports look at: which of the others are there is free."""
    return {(a, b) for a, b in arcs if (a, b) not in {(4, 7), (8, 9), (6, 7), (9, -2)}}


@case(only=SOME)
def of_all_processes(t):
    """A child that is killed, a thread, a process by exec: one file, one for each, and contexts."""
    script = t.write("ways.py", WAYS)
    t.both(t.py(script), ["--branch"])
    t.expect_equal(flow(of_function(arcs_of(t.data_file)[script])), flow(OF_1 | OF_0 | OF_NONE), "arcs of all")
    run = t.run([t.program, "--branch", "--parallel-mode", "--data-file=part", "--", *t.py(script)])
    parts = sorted(t.dir.glob("part.*"))
    t.expect_equal(len(parts), 3, f"files: {run}")
    got = sorted(sorted(flow(of_function(arcs_of(part)[script]))) for part in parts)
    t.expect_equal(got, sorted(map(sorted, map(flow, (OF_1 | OF_0, OF_0, OF_NONE)))), "arcs of each")
    coverage(t, "combine", "-q", "--data-file=all", *map(str, parts))
    t.expect_equal(flow(of_function(arcs_of(t.dir / "all")[script])), flow(OF_1 | OF_0 | OF_NONE), "combined")


@case(only=SOME)
def settings_and_append(t):
    script = t.write("ways.py", WAYS)
    t.write(".coveragerc", "[run]\nbranch = true\n")
    run = t.trace(t.py(script, "child"))
    t.expect_equal((run.status, run.errors), (0, ""), f"with [run] branch: {run}")
    t.expect_equal(flow(of_function(arcs_of(t.data_file)[script])), flow(OF_NONE), "arcs")
    run = t.run(t.traced(t.py(script), ["--append"]))
    t.expect_equal(run.status, 0, f"--append: {run}")
    t.expect_equal(flow(of_function(arcs_of(t.data_file)[script])), flow(OF_1 | OF_0 | OF_NONE), "arcs, appended")
    before = t.data_file.read_bytes()
    run = t.run(t.traced(t.py(script), ["--append", "--rcfile="]))
    t.expect(run.status == 1 and "branches" in run.errors, "lines to branches", run)
    t.expect(t.data_file.read_bytes() == before, "the file has changed")
    t.expect_equal(t.run(t.traced(t.py(script), ["--rcfile="])).status, 0, "lines")
    run = t.run(t.traced(t.py(script), ["--append"]))
    t.expect(run.status == 1 and "lines" in run.errors, "branches to lines", run)
    t.expect_equal(t.run(t.traced(t.py(t.write("empty.py", "")), ["--include=none"])).status, 0, "nothing")
    run = t.run([t.program, "report", f"--data-file={t.data_file}"])
    t.expect("No data to report." in run.text + run.errors, "report of nothing", run)


LATE = """\
import itertools, os, time
def f(n):
    while n > 0:
        if n == 7:
            n = 0
        n -= 1
    return n
f(1)
print("ready", flush=True)
for i in itertools.count():
    while not os.path.exists(f"order-{i}"):
        time.sleep(0.01)
    with open(f"order-{i}") as order:
        f(int(order.read()))
    print("done", flush=True)
"""


@case(only=SOME)
def of_a_program_that_runs(t):
    """What was taken before does not count, nor what was taken before a reset."""
    script = t.write("late.py", LATE)
    talk = Talk(t, t.py(script), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    n = iter(range(9))

    def do(order):
        os.rename(t.write("order", str(order)), t.dir / f"order-{next(n)}")
        t.expect_equal(talk.line(), "done", "line")

    def taken():
        return {(a, b) for a, b in of_function(arcs_of(t.data_file)[script], last=6) if a < 5}

    do(2)
    ours = Attached(t, talk.pid, options=["--branch"])
    do(0)
    t.expect_equal(ours.control("save")[0], 0, "save")
    t.expect_equal(taken(), {(3, 7)}, "arcs")
    do(7)
    t.expect_equal(ours.control("save")[0], 0, "save")
    t.expect_equal(taken(), {(3, 4), (3, 7), (4, 5)}, "arcs later")
    t.expect_equal(ours.control("reset")[0], 0, "reset")
    do(1)
    ours.leave()
    t.expect_equal(taken(), {(3, 4), (3, 7), (4, 6)}, "arcs after the reset")
    do(3)
    os.kill(talk.pid, signal.SIGKILL)
    talk.end()
