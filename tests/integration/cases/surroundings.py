"""What a program sees of itself and around it is what it sees without us."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import LIMIT, Failure, Run, case, read_data

SHOW = r"""
import os, resource, signal, sys, json, threading
me = {}
me["pid"] = os.getpid() - int(os.environ.get("BASE", "0"))
me["pgrp is pid"] = os.getpgrp() == os.getpid()
me["sid is pid"] = os.getsid(0) == os.getpid()
me["ppid"] = os.getppid()
me["fds"] = sorted(f for f in os.listdir("/proc/self/fd"))
me["links"] = [os.path.exists("/proc/self/fd/%d" % i) for i in range(64)]
status = dict(l.split(":\t", 1) for l in open("/proc/self/status").read().splitlines() if ":\t" in l)
for key in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd", "SigQ", "Threads", "Uid", "Gid", "Groups", "NoNewPrivs",
            "Seccomp", "CapEff", "CapBnd", "CapInh", "Umask", "FDSize", "Name", "Cpus_allowed_list", "NSpid"):
    me[key] = status.get(key) if key not in ("SigQ", "NSpid") else status.get(key, "").split("/")[-1].count(" ")
me["limits"] = {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")}
me["cwd"] = os.getcwd()
me["environ"] = sorted(os.environ.items())
me["argv"] = sys.argv
me["orig_argv"] = getattr(sys, "orig_argv", None)
me["flags"] = str(sys.flags)
me["modules"] = sorted(sys.modules)
me["path"] = sys.path
me["priority"] = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
me["tty"] = [os.isatty(i) for i in range(3)]
me["dispositions"] = [str(signal.getsignal(s)) for s in signal.valid_signals() if s not in (32, 33)]
me["mask"] = sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, [])))
me["pdeathsig"] = 0
me["trace"] = [str(sys.gettrace()), str(sys.getprofile()), sys.getrecursionlimit(), sys.getswitchinterval()]
me["threads"] = threading.active_count(), len(os.listdir("/proc/self/task"))
me["comm"] = open("/proc/self/comm").read()
me["cmdline"] = open("/proc/self/cmdline").read()
me["dumpable"] = os.stat("/proc/self/mem").st_uid
me["oom"] = open("/proc/self/oom_score_adj").read()
try:
    os.wait()
    me["children"] = "some"
except ChildProcessError:
    me["children"] = "none"
me["children file"] = open("/proc/self/task/%d/children" % os.getpid()).read()
me["auxv"] = len(open("/proc/self/auxv", "rb").read())
print(json.dumps(me, sort_keys=True))
"""


@case()
def itself(t):
    path = t.write("show.py", SHOW)
    plain, traced = t.run(t.py(path)), t.trace(t.py(path))
    for run in (plain, traced):
        run.out = run.out.replace(b'"pid": %d' % run.pid, b'"pid": "own"')
        t.expect(b'"pid": "own"' in run.out, "it runs under another process id than was started", run)
        t.expect(b'"ppid": %d' % os.getpid() in run.out, "it has another parent", run)
    t.expect_same(plain, traced)


@case()
def strange_inheritance(t):
    """Odd descriptors, masks, dispositions, limits, a group of someone else's: all passed on."""
    import resource

    path = t.write("show.py", SHOW)

    def odd():
        os.dup2(1, 57)
        os.set_inheritable(57, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGCHLD, signal.SIGTERM])
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (80, 90))
        os.umask(0o77)
        os.setpriority(os.PRIO_PROCESS, 0, 3)

    runs = [t.run(t.py(path), preexec_fn=odd, close_fds=False), t.trace(t.py(path), preexec_fn=odd, close_fds=False)]
    for run in runs:
        run.out = re.sub(rb'"pid": \d+', b"", run.out)
    t.expect_same(*runs)


@case()
def closed_standard_streams(t):
    path = t.write("app.py", "import os, sys\nwith open(sys.argv[1], 'w') as f:\n"
                   "    f.write(str([sys.stdin is None, sys.stdout is None, sorted(os.listdir('/proc/self/fd'))]))\n")
    seen = []
    for command in (t.py(path, "plain"), t.traced(t.py(path, "traced"))):
        run = t.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command])
        seen.append((run.status, (t.dir / command[-1]).read_text()))
    t.expect_equal(seen[1], seen[0], "closed streams")


@case()
def few_descriptors(t):
    """None is free: measured or not, the program must not suffer."""
    path = t.write("app.py", "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\n")
    for n in (12, 6):
        command = ["sh", "-c", f'ulimit -n {n}; exec "$@"', "sh", *t.py(path)]
        traced = t.trace(command)
        traced.err = re.sub(rb"(?m)^pycov-trace: .*\n", b"", traced.err)
        t.expect_same(t.run(command), traced)


@case()
def small_limits(t):
    """RLIMIT_AS, RLIMIT_FSIZE and RLIMIT_STACK must not turn our needs into the program's death."""
    path = t.write("app.py", "print('ok')  # hit\n")
    for limit in ("-f 0", "-f 1", "-v 400000", "-s 512", "-c 0", "-l 0", "-u 4000"):
        plain = t.run(["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *t.py("-B", path)])
        traced = t.trace(t.py("-B", t.write("limit.py", f"print('ok')  # hit\n"))) if plain.status else None
        if traced is None:
            command = ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *t.py("-B", path)]
            t.expect_same(plain, t.trace(command))


@case()
def signals_while_starting(t):
    """A burst of signals from the first moment on is delivered as without us."""
    path = t.write("app.py", "import signal, sys\nn = 0\ndef handler(*a):\n    global n\n    n += 1  # hit\n"
                   "signal.signal(signal.SIGUSR1, handler)\nsignal.signal(signal.SIGCONT, handler)\n"
                   "print('ready', flush=True)\nwhile n < 20:\n    signal.pause()  # hit\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
                   "print('done')  # hit\n")
    import subprocess

    p = subprocess.Popen(t.traced(t.py("-u", path)), stdout=subprocess.PIPE, env=t.env, cwd=t.dir,
                         start_new_session=True)
    p.stdout.readline()
    end = time.monotonic() + LIMIT
    while p.poll() is None:
        p.send_signal(signal.SIGUSR1)
        if time.monotonic() > end:
            raise Failure("the signals do not arrive")
        select.select([p.stdout], [], [], 0.001)
    t.expect_equal((p.returncode, p.stdout.read()), (0, b"done\n"), "end")
    t.expect_nobody_left()


@case()
def stopped_and_continued(t):
    path = t.write("app.py", "import os, signal, sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
                   "print('again')  # hit\n")
    import subprocess

    p = subprocess.Popen(t.traced(t.py(path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=t.env, cwd=t.dir,
                         start_new_session=True)
    p.stdout.readline()
    for _ in range(5):
        p.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(p.pid, os.WUNTRACED)
        t.expect(os.WIFSTOPPED(status), "not stopped", status)
        p.send_signal(signal.SIGCONT)
        _, status = os.waitpid(p.pid, os.WCONTINUED)
        t.expect(os.WIFCONTINUED(status), "not continued", status)
    p.stdin.write(b"\n")
    p.stdin.close()
    t.expect_equal(p.stdout.read(), b"again\n", "output")
    t.expect_equal(p.wait(LIMIT), 0, "status")
    t.expect_nobody_left()


def recorded(t):
    run = Run([], 0, 0, b"", b"")
    run.data = read_data(t.data_file)
    return run


class Terminal:
    """A shell with job control, on a terminal of its own."""

    def __init__(self, t):
        self.t, self.seen = t, b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(t.dir)
            env = dict(t.env, PS1="$ ", TERM="dumb", HISTFILE="/dev/null")
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        self.until(b"$ ")

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text):
        """Read up to @text; what came before it is returned."""
        end = time.monotonic() + LIMIT
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            data = b""
            try:
                data = os.read(self.fd, 4096) if ready else b""
            except OSError:
                pass
            if not data:
                raise Failure(f"the terminal shows no {text!r}: {self.seen[-1500:]!r}")
            self.seen += data
        before, _, self.seen = self.seen.partition(text)
        return before

    def close(self):
        self.type("exit\n")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@case()
def job_control(t):
    # A signal just before a read would leave its handler waiting for the read's end: look before.
    path = t.write("app.py", "import sys, os, select\nprint('read' + 'y', os.tcgetpgrp(0) == os.getpgrp(), flush=True)\n"
                   "while True:\n    if not select.select([0], [], [], 0.05)[0]:\n        continue\n"
                   "    line = sys.stdin.readline()\n    print('got', line.strip(), flush=True)  # hit\n"
                   "    if not line:\n        break\n"
                   "print('never')  # miss\n")
    for command in (t.py(path), t.traced(t.py(path))):
        shell = Terminal(t)
        shell.type(" ".join(map(str, command)) + "; echo sta''tus=$?\n")
        shell.until(b"ready True")
        shell.type("one\n")
        shell.until(b"got one")
        shell.type("\x1a")
        shell.until(b"Stopped")
        shell.until(b"$ ")
        shell.type("jobs; echo li''sted\n")
        t.expect(b"Stopped" in shell.until(b"listed"), "it is not among the stopped jobs", shell.seen)
        shell.type("fg\n")
        shell.type("two\n")
        shell.until(b"got two")
        shell.type("\x03")
        shell.until(b"KeyboardInterrupt")
        shell.until(b"$ ")
        shell.type("echo la''st=$?\n")
        t.expect(shell.until(b"$ ").find(b"last=130") >= 0, "the status after Ctrl-C is not 130", shell.seen)
        shell.type("COVERAGE_FILE=other " + " ".join(w for w in map(str, command) if "data" not in w) + " &\n")
        shell.until(b"$ ")
        shell.type("\n")
        shell.until(b"$ ")
        shell.type("kill %%; wait; fg\n")
        shell.until(b"$ ")
        shell.close()
        t.expect_nobody_left()
    t.expect_marks(recorded(t), path)


@case()
def hang_up(t):
    """The terminal goes away: SIGHUP ends the program, and its lines are kept."""
    path = t.write("app.py", "import sys\nprint('rea' + 'dy', flush=True)  # hit\nsys.stdin.read()\nx = 1  # miss\n")
    shell = Terminal(t)
    shell.type("exec " + " ".join(map(str, t.traced(t.py(path)))) + "\n")
    shell.until(b"ready")
    os.close(shell.fd)
    os.waitpid(shell.pid, 0)
    t.expect_nobody_left()
    run = recorded(t)
    t.expect_marks(run, path)
