# oracle: no it needs configuration for children
import os
import subprocess
import sys

if len(sys.argv) > 1 and sys.argv[1] == "child":
    print("child of", sys.argv[2], flush=True)  # hit
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), 9)  # hit
    sys.exit(5)  # hit


def spawn(how, **more):
    return subprocess.run([sys.executable, __file__, "child", how], **more).returncode  # hit


print("start", flush=True)
assert spawn("run") == 5  # hit
assert spawn("fds", close_fds=False) == 5
assert spawn("preexec", preexec_fn=lambda: None) == 5
assert spawn("session", start_new_session=True) == 5
assert spawn("killed") == -9
assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, __file__, "child", "spawnv"]) == 5
pid = os.posix_spawn(sys.executable, [sys.executable, __file__, "child", "posix"], os.environ)
os.waitpid(pid, 0)
assert os.system("exit 3") >> 8 == 3  # hit
assert subprocess.call(["true"]) == 0  # hit
os.execv(sys.executable, [sys.executable, "-c", "print('new image')"])  # hit
print("no")  # miss
