"""Attaching again and again to a program that does many things in several threads, and checks what comes out."""

import random
import subprocess

from harness import FULL, LIMIT, TARGETS, Failure, case, status_of
from processes import Talk


@case(only=None if FULL else "pyenv-3.8 pyenv-3.10 debian-3.11 pyenv-3.12 sid-3.15")
def again_and_again(t):
    talk = Talk(t, t.py("-u", TARGETS / "attach" / "everything.py"), traced=False)
    talk.line()
    for i in range(100 if FULL else 6):
        p = subprocess.run([t.program, "--data-file", t.data_file, "-p", str(talk.pid), "-d", str(random.uniform(0.05, 0.4))],
                           env=t.env, cwd=t.dir, stderr=subprocess.PIPE, timeout=3 * LIMIT)
        if p.returncode or talk.process.poll() is not None:
            raise Failure(f"attach {i}: status {p.returncode}, target {talk.process.poll()}: {p.stderr.decode()}")
        t.expect_equal(status_of(talk.pid).get("TracerPid"), "0", "tracer after it has left")
    talk.process.stdin.close()
    t.expect_equal(talk.line(), "errors []", "what the program found")
    t.expect_equal(talk.process.wait(LIMIT), 0, "status of the program")


@case(only=None if FULL else "debian-3.11 pyenv-3.12")
def while_threads_come_and_go(t):
    """Some are born, and some end, between being listed and being traced."""
    talk = Talk(t, t.py("-u", TARGETS / "attach" / "short_threads.py"), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    for i in range(100 if FULL else 10):
        run = t.run([t.program, "--data-file", t.data_file, "-p", str(talk.pid), "-d", "0.05"], limit=3 * LIMIT, leave=True)
        t.expect(run.status == 0 and talk.process.poll() is None, f"attach {i}", run)
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (4, b"", b""), "end")
