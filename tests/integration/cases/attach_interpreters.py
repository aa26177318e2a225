"""Subinterpreters: what is asked of a program is done in one of them at first, and in each other one when a thread of it
comes by."""

import os
import signal
import subprocess

from attaching import HERE, Attached
from harness import LIMIT, case
from processes import Talk, tracer_of, wait_for

TOLD = """\
def main():
    a = 1
    return a
def own():
    a = 2
    return a
def shared():
    a = 3
    return a
"""
NAMES = "main", "own", "shared"


class Interpreters:
    """The target, in which a thread of the main interpreter wakes for each line."""

    def __init__(self, t):
        self.t = t
        self.told = t.write("told.py", TOLD)
        self.talk = Talk(t, t.py("-u", HERE / "interpreters.py", t.dir), traced=False)
        self.pid = self.talk.pid
        t.expect_equal(self.talk.line(), "ready", "line")

    def tell(self, name, code="answer = 0"):
        self.talk.say(f"{name} {code}")
        return self.talk.line()

    def run_all(self):
        """Each one a function of its own, imported before."""
        for name in NAMES:
            self.t.expect(self.tell(name, f"import told; answer = told.{name}()").isdigit(), f"no answer of {name}")

    def wake_until(self, what, condition):
        def met():
            self.tell("main")
            return condition()

        return wait_for(self.t, what, met)

    def attach(self, **how):
        ours = Attached(self.t, self.pid, wait=False, **how)
        self.wake_until("attached", lambda: ours.process.poll() is not None or "attached to" in self.heard(ours))
        return ours

    def heard(self, ours):
        os.set_blocking(ours.process.stderr.fileno(), False)
        ours.seen += ours.process.stderr.read() or b""
        os.set_blocking(ours.process.stderr.fileno(), True)
        return ours.seen.decode()

    def control(self, ours, word):
        asked = subprocess.Popen([self.t.program, word, str(self.pid)], env=self.t.env, cwd=self.t.dir)
        self.wake_until(word, lambda: asked.poll() is not None)
        self.t.expect_equal(asked.wait(LIMIT), 0, word)

    def leave(self, ours):
        os.kill(ours.pid, signal.SIGINT)
        self.wake_until("the end of pycov-trace", lambda: ours.process.poll() is not None)
        return ours.leave(sig=0)

    def expect_recorded(self, run, when):
        self.t.compare(run.data.get(os.path.realpath(self.told), set()), {2, 3, 5, 6, 8, 9}, when)

    def expect_given_back(self, when):
        for name in NAMES:
            self.tell(name)  # a line that has not run yet
            tools = self.tell(name, "import sys; answer = sys.monitoring.get_tool(3), sys.monitoring.get_tool(4)")
            self.t.expect_equal(tools, "(None, None)", f"tools of {name}, {when}")
            events = self.tell(name, "import sys; m = sys.monitoring; m.use_tool_id(4, 'x'); answer = m.get_events(4); "
                                     "m.free_tool_id(4)")
            self.t.expect_equal(events, "0", f"events of {name}, {when}")

    def end(self):
        self.talk.process.stdin.close()
        self.t.expect_equal(self.talk.line(), "ended", "line")
        self.t.expect_equal(self.talk.process.wait(LIMIT), 0, "status of the program")


@case(since="3.12")
def all_are_left_and_armed_again(t):
    them = Interpreters(t)
    them.run_all()
    for i, options in enumerate(([], [], ["--branch"], [])):
        ours = them.attach(options=options, data_file=t.dir / f"data{i}")
        them.run_all()
        if not options:
            them.control(ours, "reset")
            them.run_all()
            run = them.leave(ours)
            them.expect_recorded(run, f"attach {i}")
        else:
            them.leave(ours)
        them.expect_given_back(f"attach {i}")
    them.end()


@case(since="3.12")
def all_are_armed_after_a_kill(t):
    them = Interpreters(t)
    them.run_all()
    for i in range(3):
        ours = them.attach(data_file=t.dir / f"data{i}")
        them.run_all()
        os.kill(tracer_of(them.pid), signal.SIGKILL)
        ours.end(sig=0)
        wait_for(t, "no tracer", lambda: tracer_of(them.pid) == 0)
    ours = them.attach(data_file=t.dir / "data")
    them.run_all()
    them.expect_recorded(them.leave(ours), "after three kills")
    them.expect_given_back("after three kills")
    them.end()
