"""Greenlets switch the stacks of a thread: what is suspended on one that is put away is recorded as well."""

from attaching import HERE, Attached, Before, expect_marks
from cases.attach_servers import VERSIONS, packages
from harness import FULL, case
from processes import Talk, recorded

PATH = str(HERE / "greenlets.py")


def go_on(t, talk, number):
    talk.say()
    t.expect_equal(talk.line(), f"loop {number} below {number - 1} generated own", "line")
    t.expect_equal(talk.line(), "ready", "line")


@case(only=VERSIONS if FULL else "pyenv-3.9 debian-3.11 sid-3.14")
def suspended(t):
    """Attached, reset, attached anew: each time they have not run yet."""
    talk = Talk(t, t.py("-u", PATH), traced=False, env=packages(t))
    t.expect_equal(talk.line(), "ready", "line")
    before = Before(t, talk.pid)
    for number in 1, 4:
        ours = Attached(t, talk.pid)
        go_on(t, talk, number)
        t.expect_equal(ours.control("save")[0], 0, "save")
        expect_marks(t, recorded(t), PATH)
        t.expect_equal(ours.control("reset"), (0, ""), "reset")
        go_on(t, talk, number + 1)
        expect_marks(t, ours.leave(), PATH)
        before.expect_same()
        go_on(t, talk, number + 2)
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (0, b"", b""), "end")
