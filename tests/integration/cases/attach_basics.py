"""A program that runs is attached to: what runs from then on is recorded, and it is left as it was."""

import os
import re
import signal

from attaching import HERE, Attached, Before, expect_marks, is_armed
from harness import FULL, case
from processes import SEVEN, Talk, recorded, row, tracer_of, wait_for

LATE = """\
import json  # hit
def value(n):  # hit
    if n:  # hit
        return "late"  # hit
    return "never"
"""
DURING = "['during', 'second', 2, 'late', 'awaited', 'thread', 'made']"


def under_way(t, mode):
    path, late = str(HERE / "under_way.py"), t.write("late.py", LATE)
    talk = Talk(t, t.py(path, t.dir, mode), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    before = Before(t, talk.pid)
    ours = Attached(t, talk.pid, wait=mode != "read")
    if mode == "read":
        wait_for(t, "armed", is_armed(talk.pid))
    talk.say("during")
    t.expect_equal(talk.line(), DURING, "line")
    run = ours.leave()
    before.expect_same()
    talk.say("after")
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (5, b"third {None} None\n", b""), "end")
    expect_marks(t, run, path, mode)
    expect_marks(t, run, late)
    t.expect_lines(run, t.dir / "made.py", {1, 2})


@case()
def asleep_in_a_read(t):
    under_way(t, "read")


@case()
def asleep_again_and_again(t):
    under_way(t, "sleep")


@row(SEVEN)
def busy_in_a_loop_without_calls(t):
    under_way(t, "busy")


@case()
def busy_in_another_thread(t):
    under_way(t, "busy_thread")


IMPORTS = """\
import importlib._bootstrap as b, select, sys, time
class Slow(dict):
    def __setitem__(self, key, value):
        dict.__setitem__(self, key, value)
        time.sleep(0.05)
b._blocking_on = Slow()
sys.modules.pop("gc", None)
print("ready", flush=True)
n = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    import colorsys
    sys.modules.pop("colorsys")
    n += 1  # hit
print(n > 0, flush=True)
"""


@case(until="3.11")
def in_the_midst_of_an_import(t):
    """Where it holds the lock of a module no other import may be made."""
    path = t.write("imports.py", IMPORTS)
    talk = Talk(t, t.py(path), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, talk.pid)
    wait_for(t, "lines", lambda: ours.control("save") == (0, "") and 12 in recorded(t).data.get(path, ()))
    ours.leave()
    talk.say()
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (0, b"True\n", b""), "end")


FROZEN = """\
import gc, sys, time
from set_aside import one
gc.freeze()
print("ready", flush=True)
sys.stdin.readline()
time.sleep(0.001)
one()
print("during", flush=True)
sys.stdin.readline()
"""


@row(SEVEN)
def functions_that_the_collector_was_told_to_leave(t):
    """As servers do before they fork."""
    path = t.write("set_aside.py", "def one():\n    return 1  # hit\n")
    talk = Talk(t, t.py(t.write("frozen.py", FROZEN)), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "armed", is_armed(talk.pid))
    talk.say()
    t.expect_equal(talk.line(), "during", "line")
    run = ours.leave()
    t.expect_equal(run.data.get(path), {2}, "lines of what was set aside")
    talk.say()
    t.expect_equal(talk.end().status, 0, "status")


READS = """\
import os
print("ready", flush=True)
x = 0
for line in os.fdopen(0, "rb", buffering=0):
    x = 1  # hit
    y = x  # hit
    print(y, flush=True)  # hit
"""


@case()
def no_call_between_reads(t):
    """Nothing that looks at what is pending, and no other way to the GIL than that of the read."""
    path = t.write("reads.py", READS)
    talk = Talk(t, t.py(path), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "armed", is_armed(talk.pid))
    talk.say()
    t.expect_equal(talk.line(), "1", "line")
    ours.wait_until("attached to")
    talk.say()
    t.expect_equal(talk.line(), "1", "line")
    run = ours.leave()
    t.expect_equal(run.data.get(path) - {3, 4}, {5, 6, 7}, "lines")  # it may have been entered before its first read
    t.expect_equal(talk.end().status, 0, "status")


def ran(number):
    """The lines of large_heap.py's functions that a round of them runs; and those that it may run."""
    surely, perhaps = set(), set()
    for i in range(number):
        first = 3 * i + 1
        surely |= {first + 1, first + 2} if i % 3 == 0 else {first + 2} if i % 3 == 1 else {first + 1}
        perhaps |= {first + 1} if i % 3 == 1 else set()
    return surely, perhaps


def large_heap(t, env):
    path = str(t.dir / "made.py")
    talk = Talk(t, t.py(HERE / "large_heap.py", 2_000_000, path), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    before = Before(t, talk.pid)
    surely, perhaps = ran(300)
    for waits in False, True:
        killed = Attached(t, talk.pid, env=env, wait=False)
        killed.wait_until("slice 1")
        os.kill(tracer_of(talk.pid), signal.SIGKILL)
        killed.end(sig=0)
        wait_for(t, "no tracer", lambda: tracer_of(talk.pid) == 0)
        ours = Attached(t, talk.pid, env=env)
        if waits:
            ours.wait_until("the rest is done")
        talk.say()
        t.expect_equal(talk.line(), "ran True", "line")
        if not waits:
            ours.wait_until("the rest is done")
        run = ours.leave()
        slices = len(re.findall(rb"debug: pid \d+: slice \d+", ours.seen))
        t.expect(slices >= 1, "the heap was walked in one go", run)
        t.compare(t.expect_data(run).get(path, set()) - perhaps, surely, path)
        before.expect_same()
    end = talk.end()
    t.expect_equal((end.status, end.err), (0, b""), "end")


@case(only=None if FULL else "pyenv-3.9 debian-3.11", until="3.12")
def a_large_heap_is_walked_in_slices(t):
    """What runs before the walk is over is recorded, as what runs after it, whatever the program does to its heap."""
    large_heap(t, dict(t.env, PYCOV_TRACE_DEBUG="1"))
