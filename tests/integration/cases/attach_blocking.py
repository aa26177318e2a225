"""No call that blocks comes back because of us."""

import os
from pathlib import Path

from attaching import HERE, Attached, Before, expect_marks, is_armed, text_differences
from harness import marks_of
from processes import SEVEN, SIX, Talk, recorded, row, tracer_of, wait_for

PATH = str(HERE / "blocking.py")


def begin(t, mode):
    talk = Talk(t, t.py(PATH, t.dir, mode), traced=False)
    word, number = talk.line().split()
    t.expect(int(number) >= 30, "calls that are made", number)
    return talk, Before(t, talk.pid)


def feed(t, talk):
    """Let one of them come back, by what it waits for."""
    with open(t.dir / "food", "wb", buffering=0) as f:
        f.write(b"food")
    t.expect_equal(talk.line(), "took 4", "line")


def all_sleep(pid):
    states = [stat.read_text().rpartition(") ")[2][0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return states and set(states) == {"S"}


def attach(t, talk, **more):
    """While all sleep; then one comes back, and so to us, and sleeps again."""
    ours = Attached(t, talk.pid, wait=False, **more)
    wait_for(t, "armed", is_armed(talk.pid))
    feed(t, talk)
    ours.wait_until("attached to")
    wait_for(t, "sleep", lambda: all_sleep(talk.pid))
    return ours


def end(t, talk):
    last = talk.end()
    t.expect_equal((last.status, last.out, last.err), (3, b"", b""), "end")


def finish(t, talk, before):
    before.expect_same()
    end(t, talk)


def expect_text_of_file(t, talk):
    """Nothing leads to us any more. What is behind the ends of the programs stays where we were not there to clean up."""
    wait_for(t, "instructions of the file", lambda: text_differences(talk.pid, within=True) == [])


@row(SEVEN)
def attach_reset_detach(t):
    talk, before = begin(t, "busy")
    for _ in range(3):
        ours = Attached(t, talk.pid)
        t.expect_equal(ours.control("reset"), (0, ""), "reset")
        feed(t, talk)
        feed(t, talk)  # only then has it been all the way round, to the call
        run = ours.leave()
        hit, _ = marks_of(open(PATH).read(), t.version)
        t.expect(hit < run.data.get(PATH, set()), "not the lines of one that came back and of the busy one", run.data)
    finish(t, talk, before)


@row(SEVEN)
def attached_when_one_comes_back(t):
    """The lines after its call, and no others."""
    talk, _ = begin(t, "idle")
    ours = attach(t, talk)
    feed(t, talk)
    t.expect_equal(ours.control("save")[0], 0, "save")
    expect_marks(t, recorded(t), PATH)
    ours.leave()
    t.expect_equal(tracer_of(talk.pid), 0, "TracerPid")
    feed(t, talk)
    expect_text_of_file(t, talk)
    feed(t, talk)
    end(t, talk)


@row(SEVEN)
def repaired_while_all_sleep(t):
    """The one that wakes undoes what was left to it by the second one that went."""
    talk, _ = begin(t, "idle")
    ours = attach(t, talk)
    ours.leave()
    t.expect(text_differences(talk.pid, within=True), "somebody came before anybody woke", "")
    run = t.run([t.program, "repair", talk.pid], leave=True)
    t.expect_equal((run.status, "the rest is done when it wakes" in run.text), (0, True), run.text)
    feed(t, talk)
    expect_text_of_file(t, talk)
    again = attach(t, talk, data_file=t.dir / "again")
    feed(t, talk)
    expect_marks(t, again.leave(), PATH)
    feed(t, talk)
    expect_text_of_file(t, talk)
    end(t, talk)


@row(SIX)
def reset_while_all_sleep(t):
    """The one that wakes is reset before its next line, and when all is undone meanwhile, undoes the rest."""
    talk, _ = begin(t, "idle")
    ours = attach(t, talk)
    feed(t, talk)
    asleep = (1, "pycov-trace: 1 process sleeps, and will be reset on waking")
    t.expect_equal(ours.control("reset"), asleep, "reset")
    feed(t, talk)
    feed(t, talk)
    t.expect_equal(ours.control("save")[0], 0, "save")
    expect_marks(t, recorded(t), PATH)
    t.expect_equal(ours.control("reset"), asleep, "reset")
    ours.leave()
    t.expect_equal(tracer_of(talk.pid), 0, "TracerPid")
    feed(t, talk)
    expect_text_of_file(t, talk)
    feed(t, talk)
    end(t, talk)


# mprotect(2) to what is writable and executable at once is refused, to us as well: whose filter it is would matter.
NO_WRITABLE_TEXT = """\
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, 10), (0x20, 0, 0, 32), (0x15, 0, 1, 7), (0x06, 0, 0, 0x0005000d), (0x06, 0, 0, 0x7fff0000)]
code = b"".join(struct.pack("<HBBI", *step) for step in steps)
kept = ctypes.create_string_buffer(code, len(code))
program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(steps), ctypes.addressof(kept)), 16)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""


@row(SEVEN)
def where_text_may_not_be_made_writable(t):
    """The one that wakes after we have left cannot put back the text. The jumps stay, and lead on, until the next time."""
    behind = ["/usr/bin/python3.11", t.write("behind.py", NO_WRITABLE_TEXT)]
    ours = t.write("ours", f"#!/bin/sh\nexec {' '.join(map(str, behind))} {t.program} \"$@\"\n")
    os.chmod(ours, 0o755)
    talk = Talk(t, [*behind, *t.py(PATH, t.dir, "idle")], traced=False)
    t.expect(int(talk.line().split()[1]) >= 30, "calls that are made", talk.seen)
    for i in range(2):
        attached = attach(t, talk, program=ours, data_file=t.dir / f"data{i}")
        feed(t, talk)
        expect_marks(t, attached.leave(), PATH)
        for _ in range(3):
            feed(t, talk)
        t.expect(text_differences(talk.pid, within=True), "the text was put back", "")
    run = t.run([ours, "repair", talk.pid], leave=True)
    t.expect_equal(run.status, 0, f"repair: {run}")
    feed(t, talk)
    feed(t, talk)
    end(t, talk)


@row(SEVEN)
def attach_and_detach_while_all_sleep(t):
    """Nobody comes."""
    talk, before = begin(t, "idle")
    for _ in range(2):
        ours = Attached(t, talk.pid, wait=False)
        wait_for(t, "armed", is_armed(talk.pid))
        ours.leave()
    feed(t, talk)
    finish(t, talk, before)


@row(SEVEN)
def killed_while_all_sleep(t):
    talk, _ = begin(t, "idle")
    ours = Attached(t, talk.pid, wait=False)
    wait_for(t, "armed", is_armed(talk.pid))
    os.kill(int(open(f"/proc/{talk.pid}/status").read().split("TracerPid:")[1].split()[0]), 9)
    ours.end(sig=0)
    feed(t, talk)
    end(t, talk)


@row(SEVEN)
def stopped_to_be_sampled(t):
    """Threads that wait are stopped, too, and go on with what they waited for."""
    talk, _ = begin(t, "idle")
    for command in (["dump", "--blocking"], ["sample", "--idle", "--blocking", "--rate=20", "--duration=0.5"]):
        run = t.run([t.program, *command, "-p", talk.pid], leave=True)
        t.expect_equal((run.status, "syscall" in run.text or "blocking.py" in run.text), (0, True), f"{command}: {run.text}")
    end(t, talk)
