"""Our own processes are told to go, or killed: the programs do not notice, and their data is written."""

import ctypes
import os
import signal
import socket

import harness
from harness import FULL, case, marks_of, read_data
from processes import TWO, Talk, expect_exact, row, tracer_of, wait_for, without_ours

from cases.processes_save import (
    PATH, SCRIPT, begin, expect_early, expect_stage, finish, forget, go_on, lines_now, marked, save)


def gone(pid):
    return not os.path.exists(f"/proc/{pid}") or harness.status_of(pid).get("State", "Z").startswith("Z")


@row()
def supervisor_told_to_go(t):
    """It saves, and leaves; the programs run on, children are born, and at the end all is there."""
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        talk = begin(t)
        tracer = talk.tracer
        t.expect(tracer, "there is no tracer")
        os.kill(tracer, sig)
        wait_for(t, "the early lines", lambda: marked("early") <= lines_now(t))
        expect_early(t, f"after {sig.name}")
        wait_for(t, "the tracer's end", lambda: gone(tracer))
        t.expect_equal((talk.tracer, tracer_of(talk.child)), (0, 0), "tracers")
        go_on(t, talk)
        finish(t, talk, with_script=False)
        forget(t)


@row()
def supervisor_killed(t):
    talk = begin(t)
    tracer = talk.tracer
    os.kill(tracer, signal.SIGKILL)
    wait_for(t, "the tracer's end", lambda: talk.tracer == 0)
    save(t, t.data_file)
    expect_early(t, "saved by the keeper alone")
    go_on(t, talk)
    finish(t, talk, with_script=False)


@row(only=TWO)
def supervisor_killed_later(t):
    """After the children; and the programs are killed themselves."""
    talk = begin(t)
    go_on(t, talk)
    os.kill(talk.tracer, signal.SIGKILL)
    wait_for(t, "the tracer's end", lambda: talk.tracer == 0)
    os.kill(talk.pid, signal.SIGKILL)
    run = talk.end()
    t.expect_equal(run.status, -signal.SIGKILL, "status")
    expect_stage(t, run.data.get(PATH, set()), marked("early", "later"), marked("last"), "at the end")
    expect_exact(t, run, talk.script)


@row(only=TWO)
def supervisor_killed_with_options(t):
    """One file for each process, contexts, --append: with the keeper alone too."""
    for options in (["--append"], ["--process-contexts"], ["--context=c"], ["--save-every=0.05"], ["--wait"]):
        talk = begin(t, *options)
        os.kill(talk.tracer, signal.SIGKILL)
        wait_for(t, "the tracer's end", lambda: talk.tracer == 0)
        go_on(t, talk)
        finish(t, talk, with_script=False)
        forget(t)


@row(only=TWO)
def supervisor_killed_in_parallel_mode(t):
    """A file for each that was known; the forks born afterwards are in one of them."""
    talk = begin(t, "--parallel-mode")
    os.kill(talk.tracer, signal.SIGKILL)
    wait_for(t, "the tracer's end", lambda: talk.tracer == 0)
    go_on(t, talk)
    talk.say("last")
    run = talk.end()
    t.expect_equal((run.status, run.out, run.err), (7, b"", b""), "end")
    files = [harness.read_data(f) for f in t.dir.glob("data.*")]
    t.expect_equal(len(files), 2, "files")
    got = set().union(*(f.get(PATH, set()) for f in files))
    expect_stage(t, got, marked("early", "later", "last"), set(), "in all files")


def parent_of(pid):
    return int(harness.status_of(pid).get("PPid") or 0)


def command_line_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


def keepers_beside(tracer):
    """They have the command line from before the command's exec, as the tracer has."""
    line = command_line_of(tracer)
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if line and command_line_of(pid) == line and tracer not in (pid, parent_of(pid)) and not gone(pid)]


def kill_keeper(t, tracer):
    keeper, = wait_for(t, "a keeper", lambda: keepers_beside(tracer))
    os.kill(keeper, signal.SIGKILL)
    wait_for(t, "its end", lambda: gone(keeper))


def is_saved(t):
    return t.run([t.program, "save", t.data_file], leave=True).status == 0


@row(only=TWO)
def keeper_killed(t):
    """Another one takes its place, and has what ran before and what runs afterwards; nobody notices."""
    for options in [], ["--append"], ["--save-every=0.1"]:
        talk = begin(t, *options)
        tracer = talk.tracer
        kill_keeper(t, tracer)
        wait_for(t, "another that answers", lambda: is_saved(t))
        expect_early(t, "saved by the other")
        go_on(t, talk)
        ran, _ = marks_of(SCRIPT, t.version)
        wait_for(t, "what the script ran", lambda: ran <= (read_data(t.data_file) or {}).get(talk.script, set()))
        kill_keeper(t, tracer)
        wait_for(t, "one more", lambda: keepers_beside(tracer))
        talk.say("last")
        run = talk.end()
        t.expect_equal((run.status, run.out, run.err.count(b"\n"), run.err.count(b"another one goes on\n")), (7, b"", 2, 2),
                       f"end: {run.err}")
        expect_stage(t, t.expect_data(run).get(PATH, set()), marked("early", "later", "last"), set(), f"with {options}")
        expect_exact(t, run, talk.script)
        forget(t)


def hold_listeners(pid):
    """Copies of the sockets that it listens on: what it would have closed last when it was killed."""
    SYS_pidfd_getfd = 438
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    held = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            copy = socket.socket(fileno=libc.syscall(SYS_pidfd_getfd, process, int(fd), 0))
            if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                held.append(copy)
            else:
                copy.close()
    os.close(process)
    return held


def is_in_poll(pid):
    SYS_poll = "7"
    with open(f"/proc/{pid}/syscall") as f:
        return f.read().split()[0] == SYS_poll


@row(only=TWO)
def keeper_killed_that_listens_on(t):
    """The next one begins before the sockets of the one that was killed are closed: it answers when they are."""
    talk = begin(t)
    tracer = talk.tracer
    keeper, = wait_for(t, "a keeper", lambda: keepers_beside(tracer))
    held = hold_listeners(keeper)
    t.expect_equal(len(held), 2, "sockets that it listens on")
    os.kill(keeper, signal.SIGKILL)
    wait_for(t, "its end", lambda: gone(keeper))
    successor, = wait_for(t, "another", lambda: keepers_beside(tracer))
    wait_for(t, "that it waits", lambda: is_in_poll(successor))
    for copy in held:
        copy.close()
    wait_for(t, "that it answers", lambda: is_saved(t))
    go_on(t, talk)
    talk.say("last")
    run = talk.end()
    t.expect_equal((run.status, run.out, run.err.count(b"\n"), run.err.count(b"another one goes on\n")), (7, b"", 1, 1),
                   f"end: {run.err}")


@row(only=TWO)
def keepers_killed_in_parallel_mode(t):
    """Files of both keepers together have all."""
    talk = begin(t, "--parallel-mode")
    kill_keeper(t, talk.tracer)
    wait_for(t, "another that answers", lambda: is_saved(t))
    go_on(t, talk)
    talk.say("last")
    run = talk.end()
    t.expect_equal((run.status, run.out), (7, b""), "end")
    files = [read_data(path) for path in t.dir.glob(t.data_file.name + ".*")]
    got = set().union(*(f.get(PATH, set()) for f in files))
    expect_stage(t, got, marked("early", "later", "last"), set(), "in all files")


@row(only=TWO)
def keepers_killed_again_and_again(t):
    """In the end there is none, which is said; the programs do not notice."""
    talk = begin(t)
    tracer = talk.tracer
    for _ in range(4):
        kill_keeper(t, tracer)
    go_on(t, talk)
    talk.say("last")
    run = talk.end()
    t.expect_equal((run.status, run.out, run.err.count(b"another one goes on\n"), run.err.count(b"is lost")), (7, b"", 3, 1),
                   f"end: {run.err}")


@row(only=TWO)
def both_killed(t):
    for order in (0, 1):
        talk = begin(t)
        tracer = talk.tracer
        pids = [tracer, parent_of(tracer)]
        for pid in pids[::-1] if order else pids:
            os.kill(pid, signal.SIGKILL)
        wait_for(t, "the tracer's end", lambda: talk.tracer == 0)
        go_on(t, talk)
        talk.say("last")
        run = talk.end()
        t.expect_equal((run.status, run.out), (7, b""), "end")


@row(only=TWO)
def stopped_supervisor_is_killed(t):
    """It is stopped, events pile up, and then it is killed: all go on."""
    talk = begin(t)
    tracer = talk.tracer
    os.kill(tracer, signal.SIGSTOP)
    talk.say("later")
    os.kill(talk.child, signal.SIGCONT)
    os.kill(tracer, signal.SIGKILL)
    t.expect_equal([talk.line() for _ in range(4)], ["child 3", "born later 4", "from the script", "script 5"], "lines")
    finish(t, talk, with_script=False)


SWEPT = """\
import os, subprocess, sys, threading
def fds():
    return [f + "=" + os.readlink("/proc/self/fd/" + f).split(":")[0] for f in sorted(os.listdir("/proc/self/fd"))
            if os.path.exists("/proc/self/fd/" + f)]
def f(n):
    exec(compile("def g():\\n    return %d\\n" % n, "made.py", "exec"), globals())
    return g()
print(fds(), flush=True)
pid = os.fork()
if pid == 0:
    os._exit(f(3))
print("child", os.waitpid(pid, 0)[1], flush=True)
thread = threading.Thread(target=f, args=(1,))
thread.start()
thread.join()
print(subprocess.call([sys.executable, "-S", "-c",
                       "import os, sys\\nprint(sorted(os.listdir('/proc/self/fd')), flush=True)\\nsys.exit(4)"]), flush=True)
os.system("ls /proc/self/fd | tr '\\\\n' ' '; echo from a shell")
print(fds(), f(5), flush=True)
sys.exit(42)
"""


@case(only="pyenv-3.8 debian-3.11 pyenv-3.13")
def killed_at_every_touch(t):
    """The supervisor is killed before and after each call by which it touches a tracee."""
    path = t.write("app.py", SWEPT)
    t.program = harness.KILL_AT
    command = t.py("-S", path)
    plain = t.run(command)
    t.expect_equal(plain.status, 42, f"status: {plain}")
    note = t.dir / "killed"
    for after in (False, True):
        n = 1
        while n == 1 or note.exists():  # when there is no such call any more, all have been met
            note.unlink(missing_ok=True)
            more = {"KILL_AT": str(n), "KILL_NOTE": str(note), **({"KILL_AFTER": "1"} if after else {})}
            run = t.trace(command, env=dict(t.env, **more))
            run.err = without_ours(run.err)
            try:
                t.expect_same(plain, run)
            except harness.Failure as e:
                raise harness.Failure(f"killed {'after' if after else 'before'} call {n}: {e}") from None
            n += 1 if FULL else 9
        t.expect(n > 40, f"only {n} {n} calls were met")
