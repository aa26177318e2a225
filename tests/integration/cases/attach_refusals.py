"""What cannot be attached to: each with its reason, unharmed."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys

import harness
from attaching import Attached, Before, maps_of, memory_at, write_at
from harness import Skip, case, status_of
from processes import Talk, recorded, row, tracer_of, wait_for

from cases.foreign import pyenv

ONCE = "debian-3.11"
PROGRAM = "import sys\nsys.stdout.write('ready\\n')\nsys.stdout.flush()\nsys.stdin.readline()\nsys.exit(3)\n"


def refused(t, pid, *reasons, argv=()):
    run = t.run([*argv, t.program, "--data-file", t.data_file, "-p", str(pid)], leave=True)
    t.expect(run.status == 1, "status", run)
    for reason in reasons:
        t.expect(reason in run.errors, f"{reason!r} is not said", run)
    t.expect(not t.data_file.exists(), "there is a data file", run)
    return run


def unharmed(t, talk, *reasons, argv=()):
    """Refused, and the program goes on."""
    refused(t, talk.pid, *reasons, argv=argv)
    wait_for(t, "no tracer", lambda: talk.tracer in (0, os.getpid()))
    talk.say()
    run = talk.end()
    t.expect_equal((run.status, run.err), (3, b""), "end")


def program(t, *command, **more):
    talk = Talk(t, [*command, t.write("program.py", PROGRAM)], traced=False, **more)
    t.expect_equal(talk.line(), "ready", "line")
    return talk


@case(only=ONCE)
def nobody(t):
    p = subprocess.Popen(["true"])
    p.wait()
    refused(t, p.pid, f"there is no process {p.pid}")


@case(only=ONCE)
def zombie(t):
    p = subprocess.Popen(["true"])
    wait_for(t, "zombie", lambda: status_of(p.pid).get("State", "").startswith("Z"))
    refused(t, p.pid, "zombie")
    p.wait()


WITHOUT_FIRST = """\
import ctypes, os, sys, threading
def wait():
    while open(f"/proc/{os.getpid()}/stat").read().rpartition(") ")[2][0] != "Z":
        pass
    print("ready", flush=True)
    sys.stdin.readline()
    os._exit(3)
threading.Thread(target=wait).start()
ctypes.CDLL(None).syscall(60, 0)  # exit(2)
"""


@case(only=ONCE)
def without_its_first_thread(t):
    """A zombie by its number, and it runs."""
    talk = Talk(t, t.py(t.write("without.py", WITHOUT_FIRST)), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    unharmed(t, talk, "runs on without its first thread", "pycov-trace -- COMMAND")


@case(only=ONCE)
def kernel_thread(t):
    if status_of(2).get("Name") != "kthreadd":
        raise Skip("optional: no threads of the kernel are seen here")
    refused(t, 2, "kthreadd", "thread of the kernel")


@case(only=ONCE)
def no_python(t):
    p = subprocess.Popen(["sleep", "1000"])
    wait_for(t, "exec", lambda: "sleep" in os.readlink(f"/proc/{p.pid}/exe"))
    refused(t, p.pid, "is not Python: it runs", "/sleep", "--with-children")
    wait_for(t, "no tracer", lambda: tracer_of(p.pid) == 0)
    p.terminate()
    t.expect_equal(p.wait(), -signal.SIGTERM, "end")


def other_version(t, version, word):
    unharmed(t, program(t, pyenv(version)), word)


@case(only=ONCE)
def python_2_7(t):
    other_version(t, "2.7", "Python 2 is not supported")


@case(only=ONCE)
def python_3_7(t):
    other_version(t, "3.7", "Python 3.7 is not supported")


@case(only=ONCE)
def pypy(t):
    if not os.path.exists("/usr/bin/pypy3"):
        raise Skip("optional: no pypy3")
    unharmed(t, program(t, "/usr/bin/pypy3"), "PyPy")


@case(only=ONCE)
def traced_by_another(t):
    """By us."""
    talk = program(t, *t.py())
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
    t.expect_equal(libc.ptrace(PTRACE_SEIZE, talk.pid, None, None), 0, "PTRACE_SEIZE")
    name = status_of(os.getpid())["Name"]
    try:
        refused(t, talk.pid, f"traced already, by {os.getpid()} ({name})", "end the other tracer first")
    finally:
        os.kill(talk.pid, signal.SIGSTOP)
        os.waitpid(talk.pid, 0x40000000 | os.WUNTRACED)
        t.expect_equal(libc.ptrace(PTRACE_DETACH, talk.pid, None, None), 0, "PTRACE_DETACH")
        os.kill(talk.pid, signal.SIGCONT)
    talk.say()
    t.expect_equal(talk.end().status, 3, "end")


@case(only=ONCE)
def attached_to_already(t):
    """A second pycov-trace."""
    talk = Talk(t, t.py(t.write("program.py", PROGRAM)))
    t.expect_equal(talk.line(), "ready", "line")
    run = t.run([t.program, "--data-file", t.dir / "other", "-p", str(talk.pid)], leave=True)
    t.expect(run.status == 1 and "traced already" in run.errors and "pycov-trace" in run.errors, "refusal", run)
    talk.say()
    t.expect_equal(talk.end().status, 3, "end")


@case(only=ONCE)
def thread(t):
    talk = Talk(t, t.py("-c", "import sys, threading\nthreading.Thread(target=sys.stdin.readline).start()\n"
                        "print(threading.enumerate()[1].native_id, flush=True)"), traced=False)
    tid = int(talk.line())
    refused(t, tid, f"{tid} is a thread of process {talk.pid}", f"give {talk.pid}")
    talk.say()
    t.expect_equal(talk.end().status, 0, "end")


@case(only=ONCE)
def itself_and_parents(t):
    refused(t, os.getpid(), "choose another")
    run = t.run(["sh", "-c", f"exec {t.program} --data-file {t.data_file} -p $$"])
    t.expect(run.status == 1 and "pycov-trace" in run.errors, "its own pid", run)


@case(only=ONCE)
def of_another_user(t):
    if os.geteuid():
        raise Skip("optional: only root can be somebody else")
    os.chmod(t.dir, 0o777)
    talk = program(t, *t.py())
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    unharmed(t, talk, f"process {talk.pid}", "belongs to user 0", "as root (sudo)", argv=nobody)


@case(only=ONCE)
def not_dumpable(t):
    if os.geteuid():
        raise Skip("optional: only root can be somebody else")
    os.chmod(t.dir, 0o777)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    path = t.write("closed.py", "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n" + PROGRAM)
    talk = Talk(t, [*nobody, "/usr/bin/python3.11", path], traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    unharmed(t, talk, "closed to all but root", argv=nobody)


SECCOMP = """\
import ctypes, struct
libc = ctypes.CDLL(None)
# memfd_create(2) alone is forbidden
code = struct.pack("<HBBI", 0x20, 0, 0, 0) + struct.pack("<HBBI", 0x15, 0, 1, 319)
code += struct.pack("<HBBI", 0x06, 0, 0, 0x00050001) + struct.pack("<HBBI", 0x06, 0, 0, 0x7fff0000)
kept = ctypes.create_string_buffer(code, len(code))
program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 4, ctypes.addressof(kept)), 16)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
"""


@case(only=ONCE)
def behind_a_seccomp_filter(t):
    talk = Talk(t, t.py(t.write("program.py", SECCOMP + PROGRAM)), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    sample = t.run([t.program, "dump", "-p", talk.pid], leave=True)
    t.expect(sample.status == 0 and "program.py" in sample.text, "what is offered in place of it", sample)
    unharmed(t, talk, "seccomp filter of its own", "pycov-trace sample")


BEHIND = "import os, sys\nos.execvp(sys.argv[1], sys.argv[1:])\n"
AWAKE = "import select, sys\nprint('ready', flush=True)\nwhile not select.select([0], [], [], 0.01)[0]:\n    pass\nsys.exit(3)\n"


@case(only="debian-3.11 sid-3.15")
def no_memfd(t):
    """The filter is that of the whole container, and so is not the program's own; only memfd_create() it refuses."""
    behind = ["/usr/bin/python3.11", t.write("behind.py", SECCOMP + BEHIND)]
    path = t.write("program.py", AWAKE)
    talk = Talk(t, [*behind, *t.py(path)], traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    unharmed(t, talk, "memfd_create() is forbidden there", "sample", argv=behind)
    run = t.run([*behind, *t.traced(t.py(path))], stdin=b"\n")
    t.expect(run.status == 3 and "is not measured: memfd_create() is forbidden" in run.errors, "launched", run)


@case(only="debian-3.11 sid-3.15")
def an_agent_of_another_build(t):
    """Which records, and whose supervisor was killed: its traps are not ours to understand."""
    talk = Talk(t, t.py(t.write("program.py", AWAKE)), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, talk.pid)
    os.kill(talk.tracer, signal.SIGKILL)
    ours.end(sig=0)
    agent, = (start for start, end, permissions, offset, inode, path in maps_of(talk.pid)
              if permissions == "r-xp" and not inode and memory_at(talk.pid, start, 4) == b"PVCT")
    version = memory_at(talk.pid, agent + 0x3000, 1)
    write_at(talk.pid, agent + 0x3000, bytes([version[0] ^ 1]))
    refused(t, talk.pid, "a pycov-trace of another build", "repair")
    run = t.run([t.program, "repair", str(talk.pid)], leave=True)
    t.expect(run.status == 1 and "of another build" in run.errors, "repair", run)
    write_at(talk.pid, agent + 0x3000, version)
    run = t.run([t.program, "repair", str(talk.pid)], leave=True)
    t.expect(run.status == 0, "repair by its own", run)
    talk.say()
    t.expect_equal(talk.end().status, 3, "end")


LIMITED = """\
import resource, select, sys
def limit(kind, more):
    used = {"AS": "VmSize", "DATA": "VmData"}.get(kind)
    now = int(next(line for line in open("/proc/self/status") if line.startswith(used)).split()[1]) * 1024 if used else 0
    kind = getattr(resource, "RLIMIT_" + kind)
    resource.setrlimit(kind, (now + more, resource.getrlimit(kind)[1]))
def work():
    return 1
print("ready", flush=True)
limit(sys.argv[1], int(sys.argv[2]))
print("limited", flush=True)
while not select.select([0], [], [], 0.01)[0]:
    work()
sys.exit(3)
"""


@row()
def no_memory_and_no_descriptors(t):
    """For the agent, for what it writes to, for its records, or for opening these. When there are, it is attached to."""
    path = t.write("limited.py", LIMITED)
    for kind, more, reason in (("AS", 0, "no memory"), ("AS", 2 << 20, "no memory"), ("DATA", -(1 << 16), "no memory"),
                               ("NOFILE", 3, "no file descriptor")):
        talk = Talk(t, t.py(path, kind, more), traced=False)
        t.expect_equal((talk.line(), talk.line()), ("ready", "limited"), "lines")
        before = Before(t, talk.pid)
        t.data_file.unlink(missing_ok=True)
        refused(t, talk.pid, reason, "raise its limit", "pycov-trace sample")
        wait_for(t, "no tracer", lambda: talk.tracer == 0)
        before.expect_same()
        which = getattr(resource, f"RLIMIT_{kind}")
        resource.prlimit(talk.pid, which, resource.prlimit(talk.pid, which)[1:] * 2)
        ours = Attached(t, talk.pid)
        wait_for(t, "lines", lambda: ours.control("save") == (0, "") and 8 in recorded(t).data.get(path, ()))
        ours.leave()
        before.expect_same()
        talk.say()
        t.expect_equal(talk.end().status, 3, f"end, {kind} {more}")


TAKEN = """import select, sys
def work():
    return 1
for number in 3, 4:
    sys.monitoring.use_tool_id(number, "taken")
print("ready", flush=True)
sys.stdin.readline()
for number in 3, 4:
    sys.monitoring.free_tool_id(number)
print("given back", flush=True)
while not select.select([0], [], [], 0.01)[0]:
    work()
sys.exit(3)
"""


@case(only="pyenv-3.12 sid-3.15")
def tool_ids_that_others_hold(t):
    """It is said at once, not at the end, that nothing would be recorded."""
    path = t.write("taken.py", TAKEN.replace("sys.stdin.readline()", "while not select.select([0], [], [], 0.01)[0]:\n    pass\n"
                                             "sys.stdin.readline()", 1))
    talk = Talk(t, t.py(path), traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    before = Before(t, talk.pid)
    refused(t, talk.pid, "tool ids 3 and 4")
    before.expect_same()
    talk.say()
    t.expect_equal(talk.line(), "given back", "line")
    ours = Attached(t, talk.pid)
    wait_for(t, "lines", lambda: ours.control("save") == (0, "") and 3 in recorded(t).data.get(path, ()))
    ours.leave()
    talk.say()
    t.expect_equal(talk.end().status, 3, "end")


def need_root():
    if os.geteuid():
        raise Skip("optional: only root can be somebody else")


@case(only=ONCE)
def without_the_capability(t):
    """Root, but not for this."""
    need_root()
    less = ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace"]
    unharmed(t, program(t, *t.py()), "has capabilities that pycov-trace has not", "as root", argv=less)


@case(only=ONCE)
def from_another_user_namespace(t):
    """Where we are root of nothing outside."""
    need_root()
    unharmed(t, program(t, *t.py()), "may not be traced, the kernel says", "SYS_PTRACE", argv=["unshare", "-U", "-r"])


@case(only=ONCE)
def pid_of_another_pid_namespace(t):
    need_root()
    talk = program(t, *t.py())
    run = t.run(["unshare", "-p", "-f", "--mount-proc", t.program, "--data-file", t.data_file, "-p", str(talk.pid)], leave=True)
    t.expect(run.status == 1 and f"there is no process {talk.pid}" in run.errors, "refusal", run)
    t.expect("pids are those of this container" in run.errors, "advice", run)
    talk.say()
    t.expect_equal(talk.end().status, 3, "end")


def filtered(number):
    """A filter by which that system call is not permitted."""
    return SECCOMP.replace("319", str(number)).replace("# memfd_create(2) alone is forbidden", "") + BEHIND


@case(only=ONCE)
def ptrace_forbidden_in_the_container(t):
    PTRACE = 101
    behind = ["/usr/bin/python3.11", t.write("behind.py", filtered(PTRACE))]
    unharmed(t, program(t, *t.py()), "tracing is refused to us", "seccomp profile", "pycov-trace sample", argv=behind)


@case(only=ONCE)
def yama(t):
    """Simulated, as this kernel may be without it: its setting is a file of ours, and what it protects is a process that is
    closed, and as capable as we are, so that nothing else is left as a reason."""
    need_root()
    yama = "/proc/sys/kernel/yama"
    less = ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace"]
    script = f"mount -t tmpfs none /proc/sys/kernel && mkdir {yama} && echo %d > {yama}/ptrace_scope && "
    script += f"exec {' '.join(less)} {t.program} --data-file {t.data_file} -p %d"
    path = t.write("closed.py", "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n" + PROGRAM)
    for scope, words in (1, "only by their ancestors"), (2, "only by root"), (3, "by nobody, until it restarts"):
        closed = Talk(t, [*less, *t.py(path)], traced=False)
        t.expect_equal(closed.line(), "ready", "line")
        run = t.run(["unshare", "-m", "sh", "-c", script % (scope, closed.pid)], leave=True)
        t.expect(run.status == 1, "status", run)
        t.expect(f"ptrace_scope is {scope}" in run.errors and words in run.errors, f"scope {scope}", run)
        closed.say()
        t.expect_equal(closed.end().status, 3, "end")


@case(only=ONCE)
def of_32_bits(t):
    root = harness.cache_path() / "roots" / "i386"
    if not (root / "usr/bin/python3.11").exists():
        raise Skip("no Python of 32 bits: tests/pythons")
    need_root()
    talk = Talk(t, ["chroot", root, "/usr/bin/python3.11", "-S", "-c", PROGRAM], traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    unharmed(t, talk, "is not Python")


@case(only=ONCE)
def wrong_words(t):
    for words in (["-p", "x"], ["-p", "0"], ["-p", "-1"], ["-p", "99999999999999"], ["--duration", "1", "true"],
                  ["--with-children", "true"], ["-p", "1", "true"], ["-p", "1", "-d", "x"]):
        run = t.run([t.program, "--data-file", t.data_file, *words])
        t.expect(run.status == 2 and run.err, f"status of {words}", run)
