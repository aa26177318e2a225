"""Every way a process below the command ends: what ran is in the file."""

import os
import signal

from harness import LIMIT
from processes import HERE, TWO, Talk, compile_c, expect_children, expect_exact, recorded, row


@row()
def ways(t):
    library = compile_c(t, "odd.c", "-shared", "-fPIC")
    path = str(HERE / "ends.py")
    command = t.py(path, t.dir, library)
    plain, run = t.run(command), t.trace(command)
    t.expect_same(plain, run)
    t.expect_marks(run, path)
    expect_children(t, run, 23 + 3)


GROUP = """\
import os, sys, threading  # hit
r, w = os.pipe()  # hit
if os.fork() == 0:  # hit
    x = 1  # hit
    os.write(w, b"x")  # hit
    threading.Event().wait()
    x = 1  # miss
os.read(r, 1)  # hit
print("ready", flush=True)  # hit
threading.Event().wait()
x = 1  # miss
"""


@row()
def whole_group_killed(t):
    """The command's own group, at one blow, as a terminal or a job scheduler does it."""
    path = t.write("app.py", GROUP)
    talk = Talk(t, t.py(path))
    t.expect_equal(talk.line(), "ready", "line")
    os.killpg(talk.pid, signal.SIGKILL)
    run = talk.end()
    t.expect_equal(run.status, -signal.SIGKILL, "status")
    t.expect_marks(run, path)


@row(only=TWO)
def whole_session_terminated(t):
    """The first process ends of SIGTERM, the other ignores it and goes on: its data is added."""
    path = t.write("app.py", "import os, signal, sys, threading  # hit\nif os.fork() == 0:  # hit\n"
                   "    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # hit\n    print('ready', flush=True)  # hit\n"
                   "    sys.stdin.readline()  # hit\n    x = 1  # hit\n    os._exit(0)  # hit\n"
                   "threading.Event().wait()  # hit or not\nx = 1  # miss\n")
    talk = Talk(t, t.py(path))
    t.expect_equal(talk.line(), "ready", "line")
    os.killpg(talk.pid, signal.SIGTERM)
    t.expect_equal(talk.process.wait(LIMIT), -signal.SIGTERM, "status")
    t.expect({1, 2, 3, 4} <= recorded(t).data[path], "saved when the command ends", recorded(t).data)
    talk.say("go on")
    expect_exact(t, talk.end(), path)


@row(only=TWO)
def hangs_at_exit(t):
    """A program that never comes to its end, and is killed in it."""
    path = t.write("app.py", "import atexit, threading  # hit\ndef f():  # hit\n    print('ready', flush=True)  # hit\n"
                   "    threading.Event().wait()  # hit or not\n    x = 1  # miss\natexit.register(f)  # hit\n")
    talk = Talk(t, t.py(path))
    t.expect_equal(talk.line(), "ready", "line")
    os.kill(talk.pid, signal.SIGKILL)
    run = talk.end()
    t.expect_equal(run.status, -signal.SIGKILL, "status")
    expect_exact(t, run, path)
