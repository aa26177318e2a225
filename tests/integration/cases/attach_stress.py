"""Attaching again and again to a program that does many things in several threads, and checks what comes out."""

import os
import random
import re
import signal
import subprocess

from attaching import Attached, maps_of
from harness import FULL, LIMIT, TARGETS, Failure, case, status_of
from processes import SEVEN, Talk, row, tracer_of, wait_for


@row(f"{SEVEN} pyenv-3.10")
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


@row(SEVEN)
def while_threads_come_and_go(t):
    """Some are born, and some end, between being listed and being traced."""
    talk = Talk(t, t.py("-u", TARGETS / "attach" / "short_threads.py"), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    for i in range(100 if FULL else 10):
        run = t.run([t.program, "--data-file", t.data_file, "-p", str(talk.pid), "-d", "0.05"], limit=3 * LIMIT, leave=True)
        t.expect(run.status == 0 and talk.process.poll() is None, f"attach {i}", run)
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (4, b"", b""), "end")


def expect_own_lines(t, run):
    """The files that the target makes up have at most so many lines: what is written into a wrong region looks otherwise."""
    found = {path: lines for path, lines in t.expect_data(run).items() if path.startswith(os.path.realpath(t.dir))}
    t.expect(any(found.values()), "no line of the target's is in the data", run)
    for path, lines in found.items():
        t.expect(max(lines, default=0) <= 150, f"lines of {path}", sorted(lines))


@case(since="3.12", only=None if FULL else "pyenv-3.12 pyenv-3.13 sid-3.14 sid-3.15")
def interpreters_with_gils_of_their_own(t):
    """They go on in our callbacks while a thread of one of them lets go of us."""
    talk = Talk(t, t.py("-u", TARGETS / "attach" / "own_gils.py", t.dir / "stop"), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    for i in range(100 if FULL else 25):
        options = ["--branch"] if i % 4 == 1 else []
        ours = Attached(t, talk.pid, options=options, data_file=t.dir / f"data{i}")
        wait_for(t, f"lines, attach {i}", lambda: re.search(r" [1-9]\d+ lines", ours.control("status")[1]))
        if i % 4 == 2:
            os.kill(tracer_of(talk.pid), signal.SIGKILL)
            ours.end(sig=0)
            wait_for(t, "no tracer", lambda: tracer_of(talk.pid) == 0)
            continue
        run = ours.leave()
        if not options:
            expect_own_lines(t, run)
        t.expect(talk.process.poll() is None, f"the program has ended, attach {i}", talk.process.poll())
        t.expect_equal(tracer_of(talk.pid), 0, "TracerPid")
        t.expect_equal([row for row in maps_of(talk.pid) if "memfd:" in row[5]], [], "what is left of regions")
    talk.process.stdin.close()
    t.expect_equal(talk.line(), "failed [] ended 4", "what the program found")
    t.expect_equal(talk.process.wait(LIMIT), 0, "status of the program")
