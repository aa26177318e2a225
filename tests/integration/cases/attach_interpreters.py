"""Subinterpreters: what is asked of a program is done in one of them at first, and in each other one when a thread of it
comes by."""

import os
import re
import signal
import struct
import subprocess

from attaching import HERE, Attached, maps_of, memory_at, write_at
from harness import FULL, LIMIT, case
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


USERS = 40  # in struct agent_interp (attach/agent/agent_abi.h), of which the second word is sys.monitoring.DISABLE


def record_of_an_interpreter(t, pid, disable):
    """Where the agent has one. Its data are behind its code."""
    maps = maps_of(pid)
    agent = next(i for i, row in enumerate(maps) if row[2] == "r-xp" and not row[4] and memory_at(pid, row[0], 4) == b"PVCT")
    start, end = maps[agent + 1][:2]
    at = memory_at(pid, start, end - start).find(struct.pack("<Q", disable))
    t.expect(at > 0, "the agent has no interpreter", maps[agent:agent + 2])
    return start + at - 8


@case(since="3.12", only=None if FULL else "pyenv-3.12 sid-3.15")
def one_that_does_not_come_out(t):
    """A thread of another interpreter is at the records for longer than a detach waits, as one that gets no CPU."""
    them = Interpreters(t)
    them.run_all()
    disable = int(them.tell("main", "import sys; answer = id(sys.monitoring.DISABLE)"))
    ours = them.attach(data_file=t.dir / "data0", env=dict(t.env, PYCOV_TRACE_DEBUG="1"))
    them.run_all()
    users = record_of_an_interpreter(t, them.pid, disable) + USERS
    t.expect_equal(memory_at(them.pid, users, 4), bytes(4), "threads at the records")
    write_at(them.pid, users, struct.pack("<I", 1))
    run = them.leave(ours)
    them.expect_recorded(run, "left")
    t.expect(len(re.findall(r"debug: pid \d+: slice \d+", run.errors)) >= 2, "a thread waited, and did not come again", run)
    them.expect_given_back("left")
    t.expect(any("memfd:" in row[5] for row in maps_of(them.pid)), "the records are mapped no more", maps_of(them.pid))
    refused = Attached(t, them.pid, wait=False, data_file=t.dir / "data1")
    them.wake_until("refusal", lambda: "does not come out of the records" in them.heard(refused))
    them.wake_until("the end of pycov-trace", lambda: refused.process.poll() is not None)
    t.expect_equal(refused.end(sig=0).status, 1, "status")
    write_at(them.pid, users, bytes(4))
    ours = them.attach(data_file=t.dir / "data2")
    them.run_all()
    them.expect_recorded(them.leave(ours), "at last")
    them.expect_given_back("at last")
    t.expect_equal([row for row in maps_of(them.pid) if "memfd:" in row[5]], [], "what is left of regions")
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
