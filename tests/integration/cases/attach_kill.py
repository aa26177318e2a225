"""The pycov-trace that is attached is killed: the program goes on with right results, and may be attached to again."""

import os
import random
import re
import select
import signal

import harness
from attaching import HERE, Attached
from harness import FULL, LIMIT, Failure, read_data, status_of
from processes import SEVEN, Talk, kill, row, tracer_of, wait_for

PATH = str(HERE / "everything.py")


def begin(t):
    talk = Talk(t, t.py("-u", PATH), traced=False)
    talk.line()
    return talk


def expect_unharmed(t, talk, when):
    wait_for(t, f"no tracer, {when}", lambda: tracer_of(talk.pid) == 0)
    t.expect(talk.process.poll() is None, f"the program has ended, {when}", talk.process.poll())
    threads = os.listdir(f"/proc/{talk.pid}/task")
    t.expect(len(threads) == 5, f"threads, {when}", len(threads))


def attach_and_record(t, talk, when):
    ours = Attached(t, talk.pid)
    try:
        wait_for(t, f"lines, {when}", lambda: re.search(r" [2-9]\d lines", ours.control("status")[1]))
    except Failure as e:
        raise Failure(f"{e}; status {ours.control('status')}, {ours.where()}") from None
    return ours


def expect_records(t, talk, when):
    """Another one attaches, records and leaves."""
    attach_and_record(t, talk, when).leave()


def finish(t, talk):
    """Its threads found no mistake; all that was left of us writes its data and ends with it."""
    talk.process.stdin.close()
    talk.process.stdin = None
    line = talk.line()
    run = talk.end()
    t.expect_equal((line, run.status, run.out, run.err), ("errors []", 0, b"", b""), "end")
    for path in t.dir.glob("data*"):
        read_data(path)


def kill_at(t, talk, n, after):
    """Kill the supervisor at its call number @n. False if it makes no more than that."""
    note = t.dir / "note"
    note.unlink(missing_ok=True)
    env = dict(t.env, KILL_AT=str(n), KILL_NOTE=str(note), **({"KILL_AFTER": "1"} if after else {}))
    ours = Attached(t, talk.pid, options=["--duration", "0.1"], wait=False, program=harness.KILL_AT, env=env,
                    data_file=t.dir / f"data{n}{'after' if after else ''}")
    run = ours.end(sig=0)
    if not note.exists():
        t.expect_equal(run.status, 0, f"status of pycov-trace that was not killed at {n}: {run}")
        return False
    return True


def numbers_of_calls():
    return range(1, 10000) if FULL else sorted({1, 2, 5, *random.sample(range(6, 160), 6)})


def afters(n):
    """Before the call, after it, or both."""
    return (False, True) if FULL else (bool(n % 2),)


@row(SEVEN)
def at_each_call(t):
    """Each of those that touch the program, before and after it; what was left the time before is there."""
    talk = begin(t)
    for n in numbers_of_calls():
        killed = [kill_at(t, talk, n, after) for after in afters(n)]
        expect_unharmed(t, talk, f"killed at call {n}")
        if n % 5 == 0 or not FULL:
            expect_records(t, talk, f"killed at call {n}")
        if not any(killed):
            break
    finish(t, talk)


@row(SEVEN)
def at_each_first_call(t):
    """The same in a program to which nobody has attached before."""
    for n in numbers_of_calls():
        killed = []
        for after in afters(n):
            talk = begin(t)
            killed.append(kill_at(t, talk, n, after))
            expect_unharmed(t, talk, f"killed at call {n}")
            if n % 5 == 0:
                expect_records(t, talk, f"killed at call {n}")
            finish(t, talk)
        if not any(killed):
            break


@row(SEVEN)
def at_random_moments(t):
    talk = begin(t)
    for i in range(200 if FULL else 6):
        ours = Attached(t, talk.pid, wait=i % 3 == 2, data_file=t.dir / f"data{i}")
        moment = random.uniform(0, 0.3)
        select.select([], [], [], moment)  # the moment itself is what is random here
        tracer = tracer_of(talk.pid)
        if tracer and status_of(tracer).get("Name") == "pycov-trace":
            os.kill(tracer, signal.SIGKILL)
        ours.end()
        expect_unharmed(t, talk, f"killed after {moment:.3f} s")
    expect_records(t, talk, "in the end")
    finish(t, talk)


def living():
    """What is ours, but for zombies; some may be being born."""
    found = {pid: status_of(pid) for pid in harness.descendants()}
    return [pid for pid, s in found.items() if s.get("Name") == "pycov-trace" and not s["State"].startswith("Z")]


@row(SEVEN)
def all_of_us(t):
    """The keeper too, and what is in the foreground."""
    talk = begin(t)
    for i in range(10 if FULL else 2):
        ours = Attached(t, talk.pid, wait=i % 2 == 0, data_file=t.dir / f"data{i}")
        for _ in range(5):  # a look may miss who is being born, or has just lost its parent
            for pid in living():
                kill(pid)
            select.select([], [], [], 0.02)
        ours.process.wait(LIMIT)
        expect_unharmed(t, talk, "all killed")
        expect_records(t, talk, "all killed")
    finish(t, talk)


@row(SEVEN)
def what_is_in_the_foreground(t):
    """The supervisor leaves as if it had been told to."""
    talk = begin(t)
    ours = attach_and_record(t, talk, "at first")
    os.kill(ours.pid, signal.SIGKILL)
    ours.process.wait(LIMIT)
    expect_unharmed(t, talk, "killed")
    wait_for(t, "data", lambda: len((read_data(t.data_file) or {}).get(PATH, ())) > 20)
    finish(t, talk)
