"""What is said to a pycov-trace that is attached, and how it ends."""

import contextlib
import os
import random
import re
import select
import signal
import sqlite3
import subprocess
import time

from attaching import HERE, Attached, Before, is_armed, maps_of, text_differences
from harness import FULL, LIMIT, Skip, case, read_data, status_of
from processes import SEVEN, SIX, Talk, row, tracer_of, wait_for

PATH = str(HERE / "steps.py")
MARKED = {n: line.rpartition("# ")[2] for n, line in enumerate(open(PATH).read().splitlines(), 1) if "# " in line}


def begin(t, kind="1"):
    talk = Talk(t, t.py("-W", "ignore", PATH, kind), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    return talk


def ask(t, talk, word, answer):
    talk.say(word)
    t.expect_equal(talk.line(), str(answer), f"answer to {word}")


def finish(t, talk):
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (6, b"", b""), "end")


def steps(t):
    """The functions that have run, by the file as it is now."""
    lines = (read_data(t.data_file) or {}).get(PATH, set())
    return {MARKED[n] for n in lines & MARKED.keys()}


def has_lines_with_code(t):
    with contextlib.closing(sqlite3.connect(t.data_file)) as db:
        return db.execute("select count(*) from pycov_trace_executable").fetchone()[0] > 0


def expect_steps(t, *words):
    t.expect_equal(steps(t), set(words), "what has run")


@row(SEVEN)
def save_reset_status(t):
    for kind in "1", "busy":
        talk = begin(t, kind)
        ask(t, talk, "three", 3)
        ours = Attached(t, talk.pid)
        ask(t, talk, "one", 1)
        for of in talk.pid, t.data_file:
            t.expect_equal(ours.control("save", of), (0, ""), "save")
        expect_steps(t, "one")
        status, text = ours.control("status")
        t.expect(status == 0 and re.match(r"1 process, 1 file, \d+ lines?, \d+ s$", text), "status", text)
        t.expect_equal(ours.control("reset"), (0, ""), "reset")
        ask(t, talk, "two", 2)
        ours.control("save")
        expect_steps(t, "two")
        t.expect_equal(ours.control("reset", t.data_file), (0, ""), "reset")
        ask(t, talk, "one", 1)
        ask(t, talk, "two", 2)
        ours.leave()
        expect_steps(t, "one", "two")
        t.expect(has_lines_with_code(t), "after a reset the lines with code are not known")
        finish(t, talk)


@row(SEVEN)
def attached_to_twice(t):
    """The second time all counts again."""
    talk = begin(t)
    before = Before(t, talk.pid)
    for _ in range(3):
        ours = Attached(t, talk.pid)
        ask(t, talk, "one", 1)
        ours.leave()
        expect_steps(t, "one")
        before.expect_same()
        ask(t, talk, "two", 2)
    finish(t, talk)


@row(SIX)
def signals(t):
    for sig in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        talk = begin(t)
        ours = Attached(t, talk.pid)
        ask(t, talk, "one", 1)
        ours.leave(sig)
        t.expect_equal(tracer_of(talk.pid), 0, f"TracerPid after {sig.name}")
        ask(t, talk, "two", 2)
        expect_steps(t, "one")
        finish(t, talk)


@row(SIX)
def duration(t):
    talk = begin(t)
    start = time.monotonic()
    Attached(t, talk.pid, options=["--duration", "0.5"], wait=False).leave(sig=0)
    t.expect(time.monotonic() - start >= 0.5, "it ended too early", time.monotonic() - start)
    t.expect_equal(tracer_of(talk.pid), 0, "TracerPid")
    finish(t, talk)


@row(SIX)
def end_of_the_program(t):
    """Its end is ours."""
    for kill in False, True:
        talk = begin(t)
        ours = Attached(t, talk.pid)
        ask(t, talk, "two", 2)
        if kill:
            talk.process.kill()
        talk.process.stdin.close()
        talk.process.stdin = None
        run = ours.end(sig=0)
        t.expect_equal(run.status, 0, f"status: {run}")
        t.expect_equal(talk.process.wait(LIMIT), -9 if kill else 6, "status of the program")
        expect_steps(t, "two")


@row(SIX)
def several(t):
    talks = [begin(t) for _ in range(3)]
    ours = Attached(t, *(talk.pid for talk in talks))
    for talk, word, answer in zip(talks, ("one", "two", "three"), (1, 2, 3)):
        ask(t, talk, word, answer)
    ours.leave()
    expect_steps(t, "one", "two", "three")
    for talk in talks:
        t.expect_equal(talk.tracer, 0, "TracerPid")
        talk.process.stdin.close()
        t.expect_equal(talk.process.wait(LIMIT), 6, "status")


@row(SIX)
def new_children(t):
    talk = begin(t)
    ours = Attached(t, talk.pid)
    ask(t, talk, "fork", 1)
    ours.leave()
    expect_steps(t, "fork")
    ask(t, talk, "fork", 1)
    finish(t, talk)


@row(SIX)
def exec_in_the_middle(t):
    talk = begin(t)
    ours = Attached(t, talk.pid)
    ask(t, talk, "one", 1)
    talk.say("execute")
    t.expect_equal(talk.line(), "ready", "line after the exec")
    ask(t, talk, "two", 2)
    ours.leave()
    expect_steps(t, "one", "two")
    ask(t, talk, "three", 3)
    t.expect_equal(talk.tracer, 0, "TracerPid")
    finish(t, talk)


def state_of(pid):
    return status_of(pid)["State"][0]


@row(SIX)
def stopped(t):
    """By SIGSTOP: it stays so, is recorded when it goes on, and stays so again when we leave."""
    talk = begin(t, "busy")
    before = Before(t, talk.pid)
    os.kill(talk.pid, signal.SIGSTOP)
    wait_for(t, "stop", lambda: state_of(talk.pid) == "T")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "tracer", lambda: talk.tracer)
    wait_for(t, "status", lambda: ours.control("status")[0] == 0)
    t.expect(state_of(talk.pid) in "Tt", "it runs", state_of(talk.pid))
    t.expect_equal(ours.leave().data, {}, "lines of what did not run")
    # The kernel stops it anew when its tracer lets it go, which takes it a moment of CPU time.
    wait_for(t, "stop when nothing was done", lambda: state_of(talk.pid) == "T")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "tracer", lambda: talk.tracer)
    os.kill(talk.pid, signal.SIGCONT)
    ours.wait_until("attached to")
    ask(t, talk, "one", 1)
    os.kill(talk.pid, signal.SIGSTOP)
    wait_for(t, "stop", lambda: state_of(talk.pid) in "Tt" and ours.control("status")[0] == 0)
    ours.leave()
    wait_for(t, "stop after it was left", lambda: (state_of(talk.pid), talk.tracer) == ("T", 0))
    expect_steps(t, "one")
    os.kill(talk.pid, signal.SIGCONT)
    ask(t, talk, "two", 2)
    wait_for(t, "instructions of the file", lambda: text_differences(talk.pid, within=True) == [])
    expect_steps(t, "one")
    again = Attached(t, talk.pid)
    ask(t, talk, "three", 3)
    again.leave()
    before.expect_same()
    finish(t, talk)


@row(SIX)
def saved_at_intervals_and_by_a_signal(t):
    talk = begin(t)
    ours = Attached(t, talk.pid, options=["--save-every=0.05"])
    ask(t, talk, "one", 1)
    wait_for(t, "a file", lambda: steps(t) == {"one"})
    ask(t, talk, "two", 2)
    wait_for(t, "another", lambda: steps(t) == {"one", "two"})
    ours.leave()
    ours = Attached(t, talk.pid, options=["--save-signal=USR1"])
    ask(t, talk, "three", 3)
    os.kill(talk.pid, signal.SIGUSR1)  # which it does not get: it would end by it
    wait_for(t, "a file", lambda: steps(t) == {"three"})
    ours.leave()
    finish(t, talk)


@row("debian-3.11")
def asked_by_another_user(t):
    """Who is not heard; root is."""
    if os.geteuid():
        raise Skip("optional: only root can be somebody else")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    os.chmod(t.dir, 0o777)
    theirs = t.dir / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    talk = begin(t)
    ours = Attached(t, talk.pid)
    ask(t, talk, "one", 1)
    for word in "save", "reset", "status":
        run = t.run([*nobody, t.program, word, talk.pid], leave=True)
        t.expect(run.status == 1 and not run.out and "belongs to another user" in run.errors, word, run)
    t.expect(not t.data_file.exists(), "it was saved", "")
    ours.leave()
    expect_steps(t, "one")
    finish(t, talk)
    path = t.write("their.py", "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n")
    talk = Talk(t, [*nobody, t.program, "--data-file", theirs / "data", "--", *t.py(path)], traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    t.expect_equal(t.run([t.program, "save", talk.pid], leave=True).status, 0, "root's save")
    t.expect_equal((theirs / "data").stat().st_uid, 65534, "whose the file is")
    talk.say()
    t.expect_equal(talk.end().status, 0, "end")


@row(SIX)
def on_a_terminal(t):
    talk = begin(t, "busy")
    ours, theirs = os.openpty()
    process = subprocess.Popen([t.program, "--data-file", t.data_file, "-p", str(talk.pid)], stdin=theirs, stdout=theirs,
                               stderr=theirs, env=t.env, cwd=t.dir, start_new_session=True)
    os.close(theirs)
    seen, end = b"", time.monotonic() + LIMIT
    pattern = rb"1 process, 1 file, \d+ lines? \(\d+ new per second\), \d+ s  \(Ctrl-C: stop\)"
    while not re.search(pattern, seen) and time.monotonic() < end and select.select([ours], [], [], LIMIT)[0]:
        seen += os.read(ours, 4096)
    t.expect(re.search(pattern, seen), "no status line", seen)
    process.send_signal(signal.SIGINT)
    while not re.search(rb"lines?; data in ", seen) and select.select([ours], [], [], LIMIT)[0]:
        seen += os.read(ours, 4096)
    t.expect_equal(process.wait(LIMIT), 0, f"status: {seen}")
    os.close(ours)
    finish(t, talk)


@row(SIX)
def data_that_cannot_be_written(t):
    """It is said while it goes on, and at the end; the program does not care."""
    talk = begin(t)
    gone = t.dir / "gone"
    gone.mkdir()
    ours = Attached(t, talk.pid, data_file=gone / "data")
    ask(t, talk, "one", 1)
    gone.rmdir()
    why = f"cannot write {gone}/data: its directory has been removed"
    t.expect_equal(ours.control("save"), (1, f"pycov-trace: {why}"), "save")
    run = ours.end()
    t.expect(run.status == 1 and f" lines; {why}" in run.errors, "end", run)
    t.expect_equal(talk.tracer, 0, "TracerPid")
    finish(t, talk)


@row(SIX)
def children_that_are_no_python(t):
    """They are passed over; so is what was named, if it has others. What these start later is followed as well."""
    path = t.write("child.py", "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\nx = 1  # hit\nprint(x, flush=True)\n"
                   "sys.stdin.readline()\n")
    python = " ".join(t.py(path))
    script = t.write("parent.sh", f"sleep 1000 & {python}; {python}; kill $!; wait\n")
    talk = Talk(t, ["sh", script], traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    child = only_python(talk)
    ours = Attached(t, talk.pid, options=["--with-children"], wait=False)
    ours.wait_until("is not Python: it runs")
    wait_for(t, "armed", is_armed(child))
    talk.say()
    t.expect_equal(talk.line(), "1", "line")
    ours.wait_until(f"attached to pid {child}")  # while it lives: of one that has ended it is not said
    talk.say()
    t.expect_equal(talk.line(), "ready", "line")
    talk.say()
    t.expect_equal(talk.line(), "1", "line")
    talk.say()
    run = ours.end(sig=0)
    t.expect(run.status == 0 and ": what it starts is measured" in run.errors and f"attached to pid {child}\n" in run.errors,
             "end", run)
    t.expect_equal(run.data.get(path), {1, 2, 3, 4, 5, 6}, "lines")
    talk.end()


BIRTHS = """\
import os, select, sys, time
def work():
    time.sleep(0.005)
print("ready", flush=True)
while not select.select([0], [], [], 0.003)[0]:
    if os.fork() == 0:
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            work()
        os._exit(0)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
sys.exit(6)
"""


@row(SIX)
def children_that_are_born_meanwhile(t):
    """Between being listed and the moment from which they would be traced from birth."""
    talk = Talk(t, t.py(t.write("births.py", BIRTHS)), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    for i in range(50 if FULL else 4):
        ours = Attached(t, talk.pid, options=["--with-children"])
        for pid in map(int, open(f"/proc/{talk.pid}/task/{talk.pid}/children").read().split()):
            status = status_of(pid)
            t.expect(status.get("State", "Z")[0] in "ZX" or status["TracerPid"] != "0", f"child {pid} is not traced, attach {i}",
                     status)
        run = ours.end()
        t.expect(run.status == 0, f"attach {i}", run)
    talk.say()
    t.expect_equal(talk.end(leave=True).status, 6, "status")


def only_python(talk):
    children = map(int, open(f"/proc/{talk.pid}/task/{talk.pid}/children").read().split())
    return next(pid for pid in children if "python" in os.readlink(f"/proc/{pid}/exe"))


@row(SIX)
def no_python_among_them(t):
    talk = Talk(t, ["sh", "-c", "sleep 1000 & read x; kill $!; wait"], traced=False)
    wait_for(t, "child", lambda: open(f"/proc/{talk.pid}/task/{talk.pid}/children").read())
    run = t.run([t.program, "--data-file", t.data_file, "-p", talk.pid, "--with-children"], leave=True)
    t.expect(run.status == 1 and run.errors.count("is not Python") == 1 and not t.data_file.exists(), "end", run)
    t.expect_equal(talk.tracer, 0, "TracerPid")
    talk.say()
    talk.end()


POOL = """\
import multiprocessing, os, sys, time
def work(n):
    return n + 1  # hit
def early(n):
    time.sleep(0.1)
    return os.getpid()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(early, range(6), 1)
        print("ready", flush=True)
        sys.stdin.readline()
        print(pool.map(work, range(100), 1) == list(range(1, 101)), flush=True)
        sys.stdin.readline()
        print(sum(pool.map(work, range(5), 1)), flush=True)
"""


@row(SIX)
def children_that_are_there(t):
    path = t.write("pool.py", POOL)
    talk = Talk(t, t.py(path), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, talk.pid, options=["--with-children"], wait=False)
    children = [int(c) for tid in os.listdir(f"/proc/{talk.pid}/task")
                for c in open(f"/proc/{talk.pid}/task/{tid}/children").read().split()]
    for pid in [talk.pid, *children]:
        wait_for(t, "armed", is_armed(pid))
    talk.say()
    t.expect_equal(talk.line(), "True", "line")
    run = ours.leave()
    t.expect(3 in run.data.get(path, ()), "what the workers ran", run)
    for pid in [talk.pid, *children]:
        t.expect_equal(tracer_of(pid), 0, "TracerPid")
    talk.say()
    t.expect_equal(talk.line(), "15", "line")
    t.expect_equal(talk.end().status, 0, "status")


@row(SIX)
def many_threads(t):
    talk = begin(t, "500" if FULL else "200")
    before = Before(t, talk.pid)
    for _ in range(2):
        ours = Attached(t, talk.pid)
        ask(t, talk, "one", 1)
        ours.leave()
        expect_steps(t, "one")
    before.expect_same()
    ask(t, talk, "two", 2)
    finish(t, talk)


@row(SEVEN)
def forks_all_the_time(t):
    talk = begin(t, "forks")
    for _ in range(20 if FULL else 3):
        ours = Attached(t, talk.pid)
        ask(t, talk, "three", 3)
        wait_for(t, "lines of children", lambda: ours.control("save") == (0, "") and steps(t) >= {"one", "two"})
        ours.leave()
        expect_steps(t, "one", "two", "three")
        t.expect_equal(talk.tracer, 0, "TracerPid")
    # Left in the middle of the attach, too, and of the forks: the target tells of children that end otherwise.
    for i in range(400 if FULL else 30):
        t.run([t.program, "-q", "-p", talk.pid, f"--duration={0.01 + i % 3 / 100}", "--data-file", t.dir / "short"], leave=True)
    finish(t, talk)


def resources(pid):
    status = status_of(pid)
    return (int(status["VmRSS"].split()[0]), len(open(f"/proc/{pid}/maps").readlines()), len(os.listdir(f"/proc/{pid}/fd")))


@row(SEVEN)
def no_growth(t):
    for kind in "1", "busy":
        talk = begin(t, kind)
        ask(t, talk, "one", 1)
        rounds = 1000 if FULL else 12
        for i in range(rounds):
            Attached(t, talk.pid).leave()
            if i == 3:
                first = resources(talk.pid)
        last = resources(talk.pid)
        t.expect(last[0] <= first[0] + 1024 and last[1] <= first[1] + 4 and last[2] == first[2],
                 f"{rounds} times: from RSS, maps, descriptors {first} to {last}")
        ours = Attached(t, talk.pid)
        ask(t, talk, "two", 2)
        ours.leave()
        expect_steps(t, "two")
        finish(t, talk)


@row(SEVEN)
def while_it_starts(t):
    """At moments of the program's start, the loader's included."""
    script = t.write("starts.py", "import json, threading, asyncio\ndef f(n):\n    return n + 1\nimport time\n"
                     "time.sleep(0.1)\nprint(f(1), flush=True)\n")
    for _ in range(300 if FULL else 30):
        talk = Talk(t, t.py(script), traced=False)
        time.sleep(random.uniform(0, 0.15))  # the moment itself is what is random here
        ours = Attached(t, talk.pid, wait=False)
        end = talk.end(leave=True)
        t.expect_equal((end.status, end.out, end.err), (0, b"2\n", b""), "end")
        ours.end(sig=0)


@row(SEVEN)
def computing_in_c(t):
    """With the GIL held, it does not come when we are told to leave: it is said, and told once more we go; the program
    does the rest by itself when it can."""
    flag, path = t.write("flag", "\0"), str(HERE / "computes_in_c.py")
    talk = Talk(t, t.py("-u", path, flag), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "armed", is_armed(talk.pid))
    talk.say()
    t.expect_equal(talk.line(), "computes", "line")
    ours.wait_until("attached to")
    ours.process.send_signal(signal.SIGINT)
    ours.wait_until(f"waiting for pid {talk.pid}: a thread of it holds the GIL and does not come to Python code, as in C "
                    "code that computes; a second Ctrl-C leaves at once")
    run = ours.leave()
    t.expect("1 process not waited for: it undoes what is left when it comes to Python code" in run.errors, "errors", run)
    t.expect(run.data.get(path), "no line is in the data", run)
    t.expect_equal((tracer_of(talk.pid), talk.process.poll()), (0, None), "tracer, and status of the program")
    with open(flag, "r+b") as file:
        file.write(b"\1")
    t.expect_equal(talk.line(), "goes on", "line")
    wait_for(t, "the code as it was", lambda: not text_differences(talk.pid, within=True))
    wait_for(t, "no region", lambda: not [row for row in maps_of(talk.pid) if "memfd:" in row[5]])
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (0, b"", b""), "end")
