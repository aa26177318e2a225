"""One file or many, one context or many, one run or several at once; and who is followed."""

import os
import re
import sqlite3
import subprocess

import harness
from harness import FULL, LIMIT, Skip, read_data
from processes import HERE, TWO, Talk, expect_exact, row, wait_for

PATH = str(HERE / "family.py")
SCRIPT = "import sys  # hit\nx = 1  # hit\nsys.exit(5)  # hit\nx = 2  # miss\n"


def marked(*words):
    lines = enumerate(open(PATH).read().splitlines(), 1)
    return {n for n, line in lines if "# " in line and set(words) & set(line.rpartition("# ")[2].split())}


ALL = marked("first", "second", "third", "way")


def pid_of(t, word):
    return (t.dir / f"pid.{word}").read_text()


def parallel_files(t):
    """{PID: path}, by names as coverage.py gives them."""
    host = os.uname().nodename.replace(".", "_")
    found = {}
    for path in sorted(t.dir.glob("data*")):
        match = re.fullmatch(rf"data\.{re.escape(host)}\.pid(\d+)\.X[A-Za-z0-9]{{6}}x", path.name)
        t.expect(match, f"a file named {path.name}")
        t.expect(match[1] not in found, f"two files for pid {match[1]}")
        found[match[1]] = path
    return found


def coverage(t, *args):
    if t.python.coverage == "-":
        raise Skip(f"optional: no coverage.py for {t.python.name}")
    return t.run(t.py("-m", "coverage", *args), env=dict(t.env, PYTHONPATH=t.python.coverage))


@row()
def parallel_mode(t):
    """Each file holds what that process ran, also where its parent had run it before the fork."""
    run = t.trace(t.py(PATH, t.dir), ["--parallel-mode"])
    t.expect_equal((run.status, run.out, run.err), (0, b"5\n", b""), "end")
    files = parallel_files(t)
    t.expect_equal(len(files), 3, "files")
    for word in ("first", "second", "third"):
        got = read_data(files[pid_of(t, word)])
        t.compare(got[PATH] & ALL, marked(word), f"{PATH} in the data of the {word}")
    combined = coverage(t, "combine", "--keep", "--data-file=data")
    t.expect_equal(combined.status, 0, f"coverage combine: {combined}")
    t.compare(read_data(t.data_file)[PATH] & ALL, ALL - marked("way"), "combined")
    t.expect(combined.text.count("Skipping") == 0, "coverage.py takes them for the same", combined)


@row(only=TWO)
def parallel_mode_pid_namespace(t):
    """Named after the process id that the process itself sees, as coverage.py in it would name it."""
    unshare = ["unshare", "-p", "-f", "--mount-proc"]
    if t.run([*unshare, "true"]).status:
        raise Skip("optional: unshare needs rights")
    script = t.write("pids.py", "import os\nprint(os.getpid(), flush=True)\nif os.fork() == 0:\n    print(os.getpid(), "
                     "flush=True)\n    os._exit(0)\nos.wait()\n")
    run = t.trace([*unshare, *t.py(script)], ["--parallel-mode"])
    t.expect_equal(run.status, 0, f"status: {run}")
    t.expect_equal(sorted(parallel_files(t)), sorted(run.text.split()), "pids in the names of files")


@row()
def parallel_mode_exec(t):
    script = t.write("script.py", SCRIPT)
    run = t.trace(t.py(PATH, t.dir, script), ["-q", "--parallel-mode"])
    t.expect_equal((run.status, run.err), (5, b""), "end")
    files = parallel_files(t)
    t.expect_equal(len(files), 2, "files")
    t.expect_equal(sorted(len(read_data(f)) for f in files.values()), [1, 1], "sources in each")
    before_the_fork = marked("first") - {12}
    own = read_data(files.pop(str(run.pid)))
    t.compare(own[PATH] & ALL, marked("way") | before_the_fork, PATH)


@row(only="sid-3.14 debian-3.11")
def parallel_mode_multiprocessing(t):
    """Workers that start with fork and with spawn; a file each; together they have all that is marked."""
    path = str(HERE / "start_multiprocessing.py")
    for method in ("fork", "forkserver"):
        run = t.trace(t.py(path, t.dir, method), ["--parallel-mode"])
        t.expect_equal(run.status, 0, f"status: {run}")
        files = parallel_files(t)
        t.expect(len(files) > 8, "files", files)
        run.data = {path: set().union(*(read_data(f).get(path, set()) for f in files.values()))}
        t.expect_marks(run, path)
        for f in files.values():
            f.unlink()


def contexts_of(path):
    """{context: {file: lines}}"""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = {}
    for context, name, numbits in db.execute("select context, path, numbits from line_bits join file on file.id = "
                                             "file_id join context on context.id = context_id"):
        found.setdefault(context, {})[name] = harness.lines_of(numbits)
    db.close()
    return found


@row()
def context(t):
    run = t.trace(t.py(PATH, t.dir), ["--context=a b|c"])
    t.expect_equal(run.status, 0, "status")
    found = contexts_of(t.data_file)
    t.expect_equal(list(found), ["a b|c"], "contexts")
    t.compare(found["a b|c"][PATH] & ALL, ALL - marked("way"), PATH)


@row()
def process_contexts(t):
    script = t.write("script.py", SCRIPT)
    for options, label in ((["--process-contexts"], ""), (["--process-contexts", "--context=unit"], "unit|")):
        run = t.trace(t.py(PATH, t.dir, script), options)
        t.expect_equal(run.status, 5, "status")
        found = contexts_of(t.data_file)
        outer = [c for c in found if c.startswith(label) and "family" in c]
        inner = [c for c in found if c.startswith(label) and str(script) in c and "family" not in c]
        t.expect_equal((len(outer), len(inner), len(found)), (1, 1, 2), f"contexts {sorted(found)}")
        t.expect_equal(list(found[outer[0]]), [PATH], "files of the outer one")
        run.data = found[inner[0]]
        expect_exact(t, run, script)


@row()
def no_follow(t):
    """The first process alone, and nothing of us in its children."""
    script = t.write("script.py", SCRIPT)
    look = t.write("look.py", "import os, subprocess, sys  # hit\n"
                   "def tracer(pid):  # hit\n    return open('/proc/%s/status' % pid).read().split('TracerPid:')[1].split()[0]\n"
                   "def in_child():  # hit\n    for n in range(3):  # miss\n        exec(compile('x = 1', 'made', 'exec'), {})  # miss\n"
                   "    print(tracer('self'), flush=True)  # miss\n    os._exit(3)  # miss\n"
                   "pid = os.fork()  # hit\nif pid == 0:  # hit\n    in_child()  # miss\n"
                   "print(os.waitpid(pid, 0)[1] >> 8, flush=True)  # hit\n"
                   f"print(subprocess.call([sys.executable, {script!r}]))  # hit\n")
    run = t.both(t.py(look), ["--no-follow"])
    t.expect_equal(run.out, b"0\n3\n5\n", "output")
    t.expect_marks(run, look)
    t.expect_equal(list(run.data), [look], "files")


def program(t, i):
    return t.write(f"app{i}.py", f"import sys\nif {i} >= 0:\n    x = 1\nelse:\n    x = 2\nsys.stdin.read()\n" + "y = 1\n" * i)


def expected(t, numbers):
    return {str(t.dir / f"app{i}.py"): {1, 2, 3, 6} | set(range(7, 7 + i)) for i in numbers}


@row()
def append(t):
    """One after another, and different lines of one file."""
    path = t.write("app.py", "import sys\nif sys.argv[1] == '1':\n    x = 1\nelse:\n    x = 2\n")
    for arg, lines in (("1", {1, 2, 3}), ("2", {1, 2, 3, 5})):
        run = t.run(t.traced(t.py(path, arg), ["--append"]))
        t.expect_equal((run.status, run.err), (0, b""), "end")
        t.expect_equal(read_data(t.data_file), {path: lines}, "data")
    run = t.run(t.traced(t.py(program(t, 3)), ["-a", "--context=c"]))
    t.expect_equal(read_data(t.data_file), {path: {1, 2, 3, 5}, **expected(t, [3])}, "data")
    t.expect_equal(sorted(contexts_of(t.data_file)), ["", "c"], "contexts")
    run = t.run(t.traced(t.py(path), ["--append", "--parallel-mode"]))
    t.expect_equal(run.status, 2, "status with --parallel-mode")


def at_once(t, n, *options):
    """So many on one data file, all of which end at the same time."""
    talks = [Talk(t, t.py(program(t, i)), options) for i in range(n)]
    for talk in talks:
        wait_for(t, "a tracer", lambda: talk.tracer)
        wait_for(t, "sys.stdin.read()", lambda: b"python" in open(f"/proc/{talk.pid}/cmdline", "rb").read())
    for talk in talks:
        talk.process.stdin.close()
        talk.process.stdin = None
    runs = [talk.end(leave=True) for talk in talks]
    t.expect_nobody_left()
    t.expect_equal([run.status for run in runs], [0] * n, "statuses")
    return runs


@row()
def append_at_once(t):
    for _ in range(10 if FULL else 2):
        runs = at_once(t, 8, "--append")
        t.expect_equal([run.err for run in runs], [b""] * 8, "messages")
        t.expect_equal(read_data(t.data_file), expected(t, range(8)), "data")
        t.data_file.unlink()


@row(only=TWO)
def replace_at_once(t):
    """Without --append one of them wins, whole; and each says that it is not alone, but for the first."""
    for _ in range(10 if FULL else 2):
        runs = at_once(t, 6)
        data = read_data(t.data_file)
        t.expect(any(data == expected(t, [i]) for i in range(6)), "a mixture", data)
        told = [run for run in runs if re.fullmatch(rb"pycov-trace: warning: .*another pycov-trace.*\n", run.err)]
        t.expect_equal((len(told), sum(not run.err for run in runs)), (5, 1), "messages")


READER = """
import sqlite3, sys
bad = reads = last = 0
for line in sys.stdin:
    if line == "end\\n":
        break
while True:
    try:
        db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
        n = sum(len(b) for b, in db.execute("select numbits from line_bits"))
        bad += db.execute("pragma integrity_check").fetchone()[0] != "ok" or n < last
        db.close()
        last = n
        reads += 1
    except sqlite3.OperationalError as e:
        if reads or "unable to open" not in str(e):
            bad += 1
    import select
    if select.select([0], [], [], 0)[0]:
        break
print(bad, reads)
"""


@row(only=TWO)
def replaced_at_once(t):
    """A tree of short processes and a short interval: who reads meanwhile sees a whole file that only grows."""
    t.write("pkg.py", "def f(n):\n" + "".join(f"    if n == {i}: x = {i}\n" for i in range(400)) + "    return 1\n")
    path = t.write("app.py", "import os, pkg\nfor i in range(60):\n    pid = os.fork()\n    if pid == 0:\n"
                   "        exec(compile('\\n' * i * 50 + 'x = 1', 'pkg.py', 'exec'))\n"
                   "        pkg.f(i)\n        os._exit(0)\n    os.waitpid(pid, 0)\nprint('end')\n")
    reader = subprocess.Popen(["/usr/bin/env", "python3", "-c", READER, str(t.data_file)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, bufsize=0)
    reader.stdin.write(b"end\n")
    try:
        for _ in range(3):
            run = t.run(t.traced(t.py(path), ["--save-every=0.01", "--append"]), leave=True)
            t.expect_equal((run.status, run.out), (0, b"end\n"), "end")
    finally:
        out, _ = reader.communicate(b"\n", timeout=LIMIT)
    bad, reads = out.decode().split()
    t.expect(bad == "0" and int(reads) > 0, f"{bad} of {reads} reads saw a broken file")
    left = sorted(p.name for p in t.dir.iterdir() if p.name not in ("__pycache__", ".cache"))
    t.expect_equal(left, ["app.py", "data", "pkg.py"], "files")


@row(only="debian-3.11")
def bad_input(t):
    """Said before anything is run."""
    script = t.write("not-executable", "#!/bin/sh\necho ran\n")
    for command, status in (("no-such-command", 127), ("./no-such-file", 127), (script, 126), (t.dir, 126)):
        run = t.trace([command])
        t.expect(run.status == status and not run.out and run.errors.count("\n") == 1, f"{command}", run)
        t.expect(os.path.basename(str(command)) in run.errors, "it is not named", run)
        t.expect_equal(run.data, None, "data")
    (t.dir / "folder").mkdir()
    for name in ("folder", "no/folder/data", "/dev/null/x"):
        run = t.run([t.program, "--data-file", name, "--", "echo", "ran"])
        t.expect(run.status == 1 and not run.out and name in run.errors, f"--data-file {name}", run)
    t.expect_equal(t.run([t.program, "--parallel-mode", "--data-file", "folder/data", "--", "true"]).status, 0, "status")
