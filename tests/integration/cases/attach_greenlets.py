"""Greenlets switch the stacks of a thread: what is suspended on one that is put away is recorded as well."""

import re

from attaching import HERE, Attached, Before, expect_marks
from cases.attach_servers import VERSIONS, packages
from harness import FULL, LIMIT, case
from processes import Talk, recorded

PATH = str(HERE / "greenlets.py")


def go_on(t, talk, number):
    talk.say()
    t.expect_equal(talk.line(), f"loop {number} below {number - 1} generated own", "line")
    t.expect_equal(talk.line(), "ready", "line")


def suspended_among(t, objects, env=None):
    """Attached, reset, attached anew: each time they have not run yet."""
    talk = Talk(t, t.py("-u", PATH, objects), traced=False, env=packages(t))
    t.expect_equal(talk.line(), "ready", "line")
    before = Before(t, talk.pid)
    for number in 1, 4:
        ours = Attached(t, talk.pid, env=env)
        attached = slices_of(ours)
        go_on(t, talk, number)
        t.expect_equal(ours.control("save")[0], 0, "save")
        expect_marks(t, recorded(t), PATH)
        t.expect_equal(ours.control("reset"), (0, ""), "reset")
        go_on(t, talk, number + 1)
        expect_marks(t, ours.leave(), PATH)
        before.expect_same()
        go_on(t, talk, number + 2)
        yield attached
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (0, b"", b""), "end")


def slices_of(ours):
    """How many times a thread has come, and gone without all being done."""
    return len(re.findall(rb"debug: pid \d+: slice \d+", ours.seen))


@case(only=VERSIONS if FULL else "pyenv-3.9 debian-3.11 sid-3.14")
def suspended(t):
    for _ in suspended_among(t, 0):
        pass


@case(only=VERSIONS if FULL else "pyenv-3.9 sid-3.14")
def suspended_in_a_large_heap(t):
    """They are looked for in slices, before `attached` is said."""
    for slices in suspended_among(t, 2_000_000, dict(t.env, PYCOV_TRACE_DEBUG="1")):
        t.expect(slices >= 1, "the heap was walked in one go", slices)


@case(only=VERSIONS if FULL else "debian-3.11")
def switching(t):
    """Attached in the midst of it: what we leave in the thread for it to find must not be another one's."""
    talk = Talk(t, t.py("-u", HERE / "switching.py"), traced=False, env=packages(t))
    t.expect_equal(talk.line(), "ready", "line")
    for _ in range(100 if FULL else 4):
        run = Attached(t, talk.pid).leave()
        t.expect("left 1 process; the code was compared with its file: as it was" in run.errors, "not all was undone", run)
    talk.process.stdin.close()
    t.expect_equal(talk.line(), "errors []", "what the program found")
    t.expect_equal(talk.process.wait(LIMIT), 0, "status of the program")
