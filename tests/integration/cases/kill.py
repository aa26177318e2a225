"""The tracer is killed: the program goes on, with the output and exit status it would have had."""

import os
import random
import select
import signal
import subprocess
import time

from harness import FULL, LIMIT, Failure, case, kill_descendants
from processes import kill, tracer_of

APP = """import os, subprocess, sys, threading
def work(n):
    total = 0
    for i in range(n):
        exec(compile("def f(x):\\n    return x + %d\\n" % i, "made%d.py" % i, "exec"), globals())
        total += f(i)
    return total
print(sorted(os.listdir("/proc/self/fd")), flush=True)
for i in range(12):
    print(i, work(25), flush=True)
    if i % 3 == 0:
        pid = os.fork()
        if pid == 0:
            os._exit(work(5) % 100)
        print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, "waitstatus_to_exitcode")
              else os.waitpid and 20, flush=True)
    if i % 4 == 1:
        t = threading.Thread(target=work, args=(20,))
        t.start()
        t.join()
    if i == 5:
        print(subprocess.call([sys.executable, "-c", "def f():\\n    return 3\\nraise SystemExit(f())"]), flush=True)
sys.exit(42)
"""


def exe_of(pid):
    """What it runs; None if it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def kill_at(t, argv, moment):
    """Run; kill the tracer @moment seconds after the program itself has begun."""
    p = subprocess.Popen(t.traced(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=t.env, cwd=t.dir, start_new_session=True)
    end = time.monotonic() + LIMIT
    while exe_of(p.pid) == os.path.realpath(t.program):
        if time.monotonic() > end:
            raise Failure(f"it does not begin; left: {kill_descendants()}")
        select.select([], [], [], 0.0005)
    select.select([], [], [], moment)  # the moment itself is what is random here
    tracer = tracer_of(p.pid)
    if tracer and tracer != os.getpid():
        kill(tracer)
    try:
        out, err = p.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Failure(f"killed {moment * 1000:.1f} ms after the start (tracer {tracer}), the program hangs: "
                      f"{kill_descendants()}") from None
    return p.returncode, out, err


@case()
def at_random_moments(t):
    path = t.write("app.py", APP)
    plain = t.run(t.py(path))
    t.expect_equal(plain.status, 42, "status")
    start = time.monotonic()
    t.run(t.py(path))
    span = time.monotonic() - start
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    for i in range(200 if FULL else 20):
        moment = rng.uniform(0, 1.5 * span) if i % 2 else rng.uniform(0, 0.02)
        status, out, err = kill_at(t, t.py(path), moment)
        t.expect((status, out) == (plain.status, plain.out), f"killed after {moment * 1000:.1f} ms (seed {seed})",
                 f"status {status}, stdout {out[-300:]!r}, stderr {err[-800:]!r}")
        t.expect_nobody_left()


@case()
def every_descendant_of_ours(t):
    """The tracer's own helpers too: all that is left of us is killed while the program runs."""
    path = t.write("app.py", "import sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
                   "def f():\n    return [i for i in range(3)]\nprint(f())\nimport json\nprint(json.dumps(f()))\n"
                   "sys.exit(3)\n")
    p = subprocess.Popen(t.traced(t.py(path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=t.env, cwd=t.dir, start_new_session=True)
    p.stdout.readline()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            ours = exe_of(pid) == os.path.realpath(t.program)
            ours &= str(t.data_file).encode() in open(f"/proc/{pid}/cmdline", "rb").read()
        except OSError:
            continue
        if ours:
            kill(int(pid))
    try:
        out, err = p.communicate(b"\n", timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Failure(f"the program hangs: {kill_descendants()}") from None
    t.expect_equal((p.returncode, out), (3, b"[0, 1, 2]\n[0, 1, 2]\n"), "end")
    t.expect_nobody_left()
