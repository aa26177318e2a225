"""No call that blocks comes back because of us."""

import os

from attaching import HERE, Attached, Before, is_armed
from processes import Talk, row, wait_for

PATH = str(HERE / "blocking.py")


def begin(t, mode):
    talk = Talk(t, t.py(PATH, t.dir, mode), traced=False)
    word, number = talk.line().split()
    t.expect(int(number) >= 30, "calls that are made", number)
    return talk, Before(t, talk.pid)


def finish(t, talk, before):
    before.expect_same()
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (3, b"", b""), "end")


@row()
def attach_reset_detach(t):
    talk, before = begin(t, "busy")
    for _ in range(3):
        ours = Attached(t, talk.pid)
        t.expect_equal(ours.control("reset"), (0, ""), "reset")
        run = ours.leave()
        t.expect(run.data.get(PATH), "no lines of the busy thread", run)
    finish(t, talk, before)


@row()
def attach_and_detach_while_all_sleep(t):
    """Nobody comes."""
    talk, before = begin(t, "idle")
    for _ in range(2):
        ours = Attached(t, talk.pid, wait=False)
        wait_for(t, "armed", is_armed(talk.pid))
        ours.leave()
    finish(t, talk, before)


@row()
def killed_while_all_sleep(t):
    talk, _ = begin(t, "idle")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "armed", is_armed(talk.pid))
    os.kill(int(open(f"/proc/{talk.pid}/status").read().split("TracerPid:")[1].split()[0]), 9)
    ours.end(sig=0)
    end = talk.end()
    t.expect_equal((end.status, end.out, end.err), (3, b"", b""), "end")
