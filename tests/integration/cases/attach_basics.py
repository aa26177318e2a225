"""A program that runs is attached to: what runs from then on is recorded, and it is left as it was."""

from attaching import HERE, Attached, Before, expect_marks, is_armed
from harness import FULL, case
from processes import Talk, row, wait_for

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


# Where PyEval_RestoreThread() is part of _Py_read(), as in Debian's builds, a reader comes in only at its next wait, but
# from 3.12 on at its next look at what is pending.
@case(only="pyenv-3.8 pyenv-3.10 pyenv-3.11 pyenv-3.12 pyenv-3.13 trixie-3.13 sid-3.13 sid-3.14 sid-3.15")
def asleep_in_a_read(t):
    under_way(t, "read")


@case()
def asleep_again_and_again(t):
    under_way(t, "sleep")


@row()
def busy_in_a_loop_without_calls(t):
    under_way(t, "busy")


@case()
def busy_in_another_thread(t):
    under_way(t, "busy_thread")
