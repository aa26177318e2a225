"""When the data is written: on request, at intervals, when the command ends, when those that live on end."""

import os
import signal

from harness import LIMIT, read_data, reap_all
from processes import HERE, Talk, expect_exact, recorded, row, wait_for

PATH = str(HERE / "waits.py")
SCRIPT = "import sys  # hit\nprint('from the script', flush=True)  # hit\nsys.exit(5)  # hit\nx = 1  # miss\n"
TALK = ["child 3", "born later 4", "from the script", "script 5"]


def marked(*words):
    lines = enumerate(open(PATH).read().splitlines(), 1)
    return {n for n, line in lines if line.rpartition("# ")[2] in words and "#" in line}


def lines_now(t):
    return (read_data(t.data_file) or {}).get(PATH, set())


def expect_stage(t, lines, has, hasnt, when):
    t.compare(lines & (has | hasnt), has, f"{PATH} {when}")


def begin(t, *options, **how):
    script = t.write("script.py", SCRIPT)
    talk = Talk(t, t.py(PATH, t.dir), options, **how)
    word, child = talk.line().split()
    t.expect_equal(word, "ready", "line")
    talk.child, talk.script = int(child), script
    return talk


def go_on(t, talk):
    talk.say("later")
    t.expect_equal([talk.line() for _ in TALK], TALK, "lines")


def finish(t, talk, with_script=True):
    """To the end, which is as it would be without us; and all is in the file."""
    talk.say("last")
    run = talk.end()
    t.expect_equal((run.status, run.out, run.err), (7, b"", b""), "end")
    expect_stage(t, t.expect_data(run).get(PATH, set()), marked("early", "later", "last"), set(), "at the end")
    if with_script:
        expect_exact(t, run, talk.script)
    return run


def expect_early(t, when="early"):
    expect_stage(t, lines_now(t), marked("early"), marked("later", "last"), when)


def forget(t):
    t.data_file.unlink(missing_ok=True)


@row()
def save_signal(t):
    """Sent to any process of the tree; none of them sees it, and it would kill them."""
    for i, (name, number) in enumerate((("USR1", signal.SIGUSR1), ("SIGUSR2", signal.SIGUSR2), ("34", 34))):
        talk = begin(t, f"--save-signal={name}")
        os.kill((talk.pid, talk.child)[i % 2], number)
        wait_for(t, "the early lines", lambda: marked("early") <= lines_now(t))
        expect_early(t)
        go_on(t, talk)
        forget(t)
        os.kill(talk.pid, number)
        wait_for(t, "the later lines", lambda: marked("later") <= lines_now(t))
        expect_stage(t, lines_now(t), marked("early", "later"), marked("last"), "later")
        finish(t, talk)
        forget(t)


HANDLER = """\
import os, select, signal, sys  # hit
seen = []  # hit
def handler(*args):  # hit
    seen.append(1)  # miss
signal.signal(signal.SIGUSR1, handler)  # hit
print("ready", flush=True)  # hit
interrupted = 0  # hit
asked = []  # hit
while not asked:  # hit
    try:  # hit
        os.stat("/")  # hit
    except InterruptedError:
        interrupted += 1  # miss
    asked = select.select([0], [], [], 0)[0]  # hit
sys.stdin.readline()  # hit
print(seen, interrupted)  # hit
"""


@row()
def save_signal_is_not_seen(t):
    """Not by a handler either, and a hundred of them do no harm."""
    path = t.write("app.py", HANDLER)
    talk = Talk(t, t.py(path), ["--save-signal=usr1"])
    talk.line()
    for _ in range(100):
        os.kill(talk.pid, signal.SIGUSR1)
    wait_for(t, "a data file", t.data_file.exists)
    talk.say()
    run = talk.end()
    t.expect_equal((run.status, run.out), (0, b"[] 0\n"), "end")
    t.expect_marks(run, path)


@row(only="debian-3.11")
def wrong_save_signals(t):
    for name in ("KILL", "9", "STOP", "SIGSTOP", "NONE", "0", "-1", "65", "999", ""):
        run = t.run(t.traced(["echo", "ran"], [f"--save-signal={name}"]))
        t.expect(run.status == 2 and not run.out and "--save-signal" in run.errors, f"--save-signal={name}", run)
    for value in ("0", "-1", "x", "1x", "", "nan"):
        run = t.run(t.traced(["echo", "ran"], [f"--save-every={value}"]))
        t.expect(run.status == 2 and not run.out and "--save-every" in run.errors, f"--save-every={value}", run)


def save(t, what, status=0):
    run = t.run([t.program, "save", what], leave=True)
    t.expect_equal(run.status, status, f"status of save: {run}")
    return run


@row()
def save_command(t):
    """By a process, a child, the file; what it wrote is there when it returns."""
    talk = begin(t)
    for what in (talk.pid, talk.child, t.data_file, "data", talk.tracer):
        forget(t)
        save(t, what)
        expect_early(t, f"after save {what}")
    go_on(t, talk)
    forget(t)
    save(t, talk.pid)
    expect_stage(t, lines_now(t), marked("early", "later"), marked("last"), "later")
    finish(t, talk)
    for what in ("data", talk.pid, os.getpid(), "no/such/file", ""):
        t.expect_equal(save(t, what, status=1 if what else 2).errors.count("\n"), 1, "lines of the message")


@row()
def save_every(t):
    talk = begin(t, "--save-every=0.05")
    wait_for(t, "the early lines", lambda: marked("early") <= lines_now(t))
    expect_early(t)
    go_on(t, talk)
    wait_for(t, "the later lines", lambda: marked("later") <= lines_now(t))
    forget(t)
    wait_for(t, "another file", t.data_file.exists)
    finish(t, talk)


@row()
def terminated(t):
    """SIGTERM: what ran is in the file soon, though the program takes its time to end."""
    path = t.write("app.py", "import signal, sys, time\nseen = []\ndef handler(*args):\n    seen.append(1)  # hit\n"
                   "signal.signal(signal.SIGTERM, handler)\nprint('ready', flush=True)  # hit\n"
                   # A signal just before a read would leave its handler waiting for the read's end.
                   "while not seen:\n    time.sleep(0.01)\nprint('handled', flush=True)  # hit\n"
                   "sys.stdin.read()\nsys.exit(6)  # hit\n")
    talk = Talk(t, t.py("-u", path))
    talk.line()
    os.kill(talk.pid, signal.SIGTERM)
    wait_for(t, "the lines before the signal", lambda: 6 in (read_data(t.data_file) or {}).get(path, ()))
    t.expect_equal(talk.line(), "handled", "line")
    run = talk.end()
    t.expect_equal(run.status, 6, "status")
    t.expect_marks(run, path)


DAEMON = """\
import os, sys  # hit
if os.fork() == 0:  # hit
    os.setsid()  # hit
    null = os.open(os.devnull, os.O_RDWR)  # hit
    for fd in range(3):  # hit
        os.dup2(null, fd)  # hit
    with open("fifo") as f:  # hit
        f.read()  # hit
    x = 1  # hit
    os._exit(0)  # hit
open("fifo", "w").write("x")  # hit or not
os._exit(8)  # hit
"""


@row()
def wait(t):
    """--wait: the command's end is held back until the last one has ended; its file is whole by then."""
    fifo = t.dir / "fifo"
    os.mkfifo(fifo)
    path = t.write("app.py", DAEMON.replace('open("fifo", "w").write("x")', 'x = 1'))
    talk = Talk(t, t.py(path), ["--wait"])
    writer = os.open(fifo, os.O_WRONLY)  # the daemon is there
    wait_for(t, "the command's own end", lambda: open(f"/proc/{talk.pid}/stat").read().rpartition(") ")[2][0] == "Z")
    t.expect_equal(talk.process.poll(), None, "status of the command while the daemon lives")
    os.close(writer)
    t.expect_equal(talk.process.wait(LIMIT), 8, "status")
    expect_exact(t, recorded(t), path)
    talk.end()


@row()
def returns_at_once(t):
    """Without --wait; also when the command is the last but one of a pipe's writers."""
    fifo = t.dir / "fifo"
    os.mkfifo(fifo)
    path = t.write("app.py", DAEMON.replace('open("fifo", "w").write("x")', 'x = 1'))
    run = t.trace(t.py(path), leave=True)
    t.expect_equal(run.status, 8, "status")
    t.expect({1, 2, 12} <= run.data[path] and 9 not in run.data[path], "the data at the command's end", run.data)
    os.close(os.open(fifo, os.O_WRONLY))
    t.expect_nobody_left()
    expect_exact(t, recorded(t), path)


SEVERAL = """\
import os, sys  # hit
def f0(): return 1  # hit
for i in range(10):  # hit
    if os.fork() == 0:  # hit
        os.close(1); os.close(2)  # hit
        f = open("fifo")  # hit
        f.read()  # hit
        exec("x = 1\\n" * i + "os._exit(0)")  # hit
os._exit(9)  # hit
"""


def let_go(fifo):
    """End the read of those who have opened it by now."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # nobody has
        pass
    return True


@row()
def several_daemons(t):
    """Each one's end adds to the file; it is a whole one at any time."""
    fifo = t.dir / "fifo"
    os.mkfifo(fifo)
    path = t.write("app.py", SEVERAL)
    run = t.trace(t.py(path), leave=True)
    t.expect_equal(run.status, 9, "status")
    wait_for(t, "the daemons' ends", lambda: let_go(fifo) and reap_all(0.1))
    t.expect_marks(recorded(t), path)
