"""Shows what a program can see of its children, their ends and its signals; nothing of it may differ under a tracer."""
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

CODES = {getattr(os, n, None): n for n in ("CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_STOPPED", "CLD_CONTINUED")}
CODES.update({2: "CLD_KILLED", 5: "CLD_STOPPED"})
IGNORED = ("Pid", "PPid", "Tgid", "NStgid", "NSpid", "NSpgid", "NSsid", "TracerPid", "Vm", "Rss", "Hugetlb", "SigQ",
           "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches", "Ngid", "Mems_allowed", "Cpus_allowed",
           "Speculation", "x86_Thread_features", "untag_mask", "THP_enabled", "CoreDumping", "State")


def say(*words):
    print(*words, flush=True)


def status_lines(pid):
    with open("/proc/%s/status" % pid) as f:
        return [line.split() for line in f if not line.startswith(IGNORED)]


def fork(f, *args):
    pid = os.fork()
    if pid == 0:
        try:
            f(*args)
        finally:
            os._exit(0)
    return pid


def in_child():
    x = 1  # hit
    return x  # hit


def show_itself():
    in_child()
    for line in status_lines("self"):
        print(*line)
    print("group", os.getpgrp() == os.getppid(), "children", open("/proc/self/task/%d/children" % os.getpid()).read())
    print("descriptors", sorted(os.listdir("/proc/self/fd")), "priority", os.getpriority(os.PRIO_PROCESS, 0))
    print("signals", signal.pthread_sigmask(signal.SIG_BLOCK, []), resource.getrlimit(resource.RLIMIT_NOFILE))
    sys.stdout.flush()


def status_of_children():
    pid = fork(show_itself)
    say("shown", os.waitpid(pid, 0)[1])
    say(subprocess.call([sys.executable, "-c", "for l in open('/proc/self/status'):\n    if l.startswith(('Sig', 'Shd', "
                         "'Threads', 'Cap', 'NoNew', 'Seccomp')) and 'SigQ' not in l: print(l.strip())"]))


def until_killed():
    while True:
        time.sleep(10)


def stopped(go_on):
    os.kill(os.getpid(), signal.SIGSTOP)
    os.read(go_on, 1)
    in_child()
    os._exit(5)


def child_signals():
    """Each SIGCHLD with what it says, and each status."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])

    def info(pid):
        i = signal.sigwaitinfo([signal.SIGCHLD])
        return CODES.get(i.si_code, i.si_code), i.si_status, i.si_pid == pid, i.si_uid == os.getuid()

    for f in (in_child, os.abort, lambda: os._exit(9), lambda: os.kill(os.getpid(), 9)):
        pid = fork(f)
        say("SIGCHLD", info(pid), os.waitpid(pid, 0)[1] & ~0x80)
    go_on, said = os.pipe()
    pid = fork(lambda: stopped(go_on))
    say("stopped", info(pid), os.waitpid(pid, os.WUNTRACED)[1])
    say("nothing new", os.waitpid(pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED))
    os.kill(pid, signal.SIGCONT)
    say("continued", os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1]))
    os.write(said, b"x")  # not before: the end of a process takes what was to be said of it with it
    os.close(said)
    os.close(go_on)
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    say("waitid", CODES.get(found.si_code), found.si_status, os.waitpid(pid, 0)[1])
    while signal.sigtimedwait([signal.SIGCHLD], 0):
        pass
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    pids = [fork(until_killed) for _ in range(3)]
    for pid in pids:
        os.setpgid(pid, pids[0])
    os.killpg(pids[0], signal.SIGTERM)
    say("group", sorted(os.waitpid(-pids[0], 0)[1] for _ in pids))
    try:
        os.wait()
    except ChildProcessError as e:
        say("none left", e.errno)


def times():
    """waitpid returns when the child has ended, and its times are the child's."""
    start = time.monotonic()
    pid = fork(time.sleep, 0.05)
    _, status, usage = os.wait4(pid, 0)
    say("wait4", status, time.monotonic() - start < 50, usage.ru_utime < 5)
    if hasattr(os, "pidfd_open"):
        import select
        r, w = os.pipe()
        pid = fork(os.read, r, 1)
        fd = os.pidfd_open(pid)
        before = select.select([fd], [], [], 0)[0]
        os.write(w, b"x")
        say("pidfd", before, select.select([fd], [], [], 50)[0] == [fd], os.waitid(os.P_PIDFD, fd, os.WEXITED).si_status)
        for f in (r, w, fd):
            os.close(f)


def timer():
    """A thousand signals a second, while children are born and new code runs."""
    count = [0]

    def tick(*args):
        count[0] += 1  # hit
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    for i in range(10):
        exec(compile("def f(x):\n    return x + %d\n" % i, "made%d.py" % i, "exec"), globals())
        pid = fork(f, i)  # noqa: F821
        assert os.waitpid(pid, 0)[1] == 0
    while count[0] < 100:
        pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    say("ticks", count[0] >= 100)


def storm():
    """A handler of SIGCHLD that reaps, and many children."""
    ends = []

    def reap(*args):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            ends.append(status >> 8)  # hit
    signal.signal(signal.SIGCHLD, reap)
    for i in range(100):
        if os.fork() == 0:
            os._exit(i)
    while len(ends) < 100:
        signal.sigtimedwait([], 0.01)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    say("storm", sorted(ends) == list(range(100)))


def talk(s):
    s.sendall(b"from the child " + s.recv(100))  # hit


def descriptors():
    """A socket to a fork and one to a program, a listening one, a pipe, a lock."""
    a, b = socket.socketpair()
    pid = fork(talk, b)
    a.sendall(b"hello")
    say(a.recv(100), os.waitpid(pid, 0)[1])
    code = "import os, socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.sendall(b'%d' % len(os.listdir('/proc/self/fd')))"
    say(subprocess.call([sys.executable, "-c", code, str(b.fileno())], pass_fds=[b.fileno()]), a.recv(100))
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    pid = fork(lambda: socket.create_connection(server.getsockname()).sendall(b"over the net"))
    peer, _ = server.accept()
    say(peer.recv(100), os.waitpid(pid, 0)[1])
    say(sorted(int(fd) for fd in os.listdir("/proc/self/fd")))


def death_signal():
    """PR_SET_PDEATHSIG: the child gets it when its parent ends, not from anyone else."""
    r, w = os.pipe()

    def parent():
        pid = os.fork()
        if pid == 0:
            os.close(r)
            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
            os.write(w, b"ready")
            until_killed()
        os.close(w)
        os.read(r, 5)
        os._exit(0)
    pid = fork(parent)
    os.close(w)
    say("parent", os.waitpid(pid, 0)[1], os.read(r, 5))
    os.close(r)


def other_threads():
    """Children of threads, waited for by others (__WNOTHREAD is another matter)."""
    pids = []
    thread = threading.Thread(target=lambda: pids.append(fork(os._exit, 6)))
    thread.start()
    thread.join()
    say("thread's child", os.waitpid(pids[0], 0)[1] >> 8)


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for f in (status_of_children, child_signals, times, timer, storm, descriptors, death_signal, other_threads):
    say("--", f.__name__)
    f()
