"""Programs in places of their own are attached to as others are."""

import os
import re
import shlex
import shutil
import signal

from attaching import Attached, Before, is_armed
from harness import Skip, case
from processes import SIX, Talk, row, wait_for

PROGRAM = """\
import select, sys
def work():
    return 1  # hit
print("ready", flush=True)
while not select.select([0], [], [], 0.01)[0]:
    work()
sys.exit(3)
"""


def need_root():
    if os.geteuid():
        raise Skip("optional: only root can be somebody else")


def recorded_in(t, argv, path, pid=lambda talk: talk.pid):
    talk = Talk(t, argv, traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    before = Before(t, pid(talk))
    ours = Attached(t, pid(talk))
    wait_for(t, "lines", lambda: re.search(r" [1-9]\d* lines", ours.control("status")[1]))
    run = ours.leave()
    t.expect(3 in run.data.get(path, ()), "what ran is not recorded", run, run.data)
    before.expect_same()
    talk.say()
    end = talk.end()
    t.expect_equal((end.status, end.err), (3, b""), "end")


def only_child(talk):
    return int(open(f"/proc/{talk.pid}/task/{talk.pid}/children").read().split()[0])


@row(SIX)
def own_mount_pid_and_user_namespace(t):
    need_root()
    path = t.write("program.py", PROGRAM)
    recorded_in(t, ["unshare", "-U", "-r", "-m", "-p", "-f", "--kill-child", *t.py(path)], path, pid=only_child)


@row(SIX)
def the_first_process_of_a_container_crashes(t):
    """The kernel would have it fault for ever, as long as it is traced."""
    need_root()
    path = t.write("crash.py", "import ctypes, sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"
                   "x = 1  # hit\nctypes.string_at(0)\n")
    talk = Talk(t, ["unshare", "-U", "-r", "-m", "-p", "-f", "--kill-child", *t.py(path)], traced=False)
    t.expect_equal(talk.line(), "ready", "line")
    ours = Attached(t, only_child(talk), wait=False)
    wait_for(t, "armed", is_armed(only_child(talk)))
    talk.say()
    end = talk.end(leave=True)
    t.expect(end.status in (-signal.SIGSEGV, 128 + signal.SIGSEGV), "end", end)
    run = ours.end(sig=0)
    t.expect(run.status == 0 and 4 in run.data.get(path, ()), "what it ran is not recorded", run, run.data)


@case(only="debian-3.11")
def another_user(t):
    """Whose process root attaches to; the data file is root's, and no link is followed."""
    need_root()
    os.chmod(t.dir, 0o777)
    path = t.write("program.py", PROGRAM)
    victim = t.dir / "victim"
    victim.write_text("kept")
    t.data_file.symlink_to(victim)
    os.lchown(t.data_file, 65534, 65534)
    recorded_in(t, ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *t.py(path)], path)
    t.expect_equal(victim.read_text(), "kept", "what a link led to")
    st = os.lstat(t.data_file)
    t.expect_equal((os.path.islink(t.data_file), st.st_uid), (False, 0), "link, owner of the data file")


@row(SIX)
def file_systems_that_are_read_only_and_noexec(t):
    need_root()
    path = t.write("program.py", PROGRAM)
    script = f"mount -t tmpfs none {t.dir} && printf %s {shlex.quote(PROGRAM)} > {path} && cd {t.dir} && "
    script += f"mount -o remount,ro,noexec,nosuid,nodev {t.dir} && exec " + shlex.join(t.py(path))
    recorded_in(t, ["unshare", "-m", "sh", "-c", script], path)


@case(only="pyenv-3.8 pyenv-3.9 debian-3.11 pyenv-3.12 pyenv-3.13")
def files_that_were_deleted_and_replaced(t):
    """The program's, or its library's, since it began."""
    path = t.write("program.py", PROGRAM)
    env = dict(t.env)
    if t.python.kind == "static":
        copy = t.dir / "python"
        shutil.copy(t.python.exe, copy)
        argv = [str(copy), path]
    else:
        prefix = os.path.dirname(os.path.dirname(t.python.exe))
        name = f"libpython{t.version[0]}.{t.version[1]}.so.1.0"
        copy = t.dir / name
        shutil.copy(f"{prefix}/lib/{name}", copy)
        env["LD_LIBRARY_PATH"] = str(t.dir)
        argv = t.py(path)
    env["PYTHONHOME"] = "/usr" if t.python.kind == "static" else os.path.dirname(os.path.dirname(t.python.exe))
    for replace in False, True:
        talk = Talk(t, argv, traced=False, env=env)
        t.expect_equal(talk.line(), "ready", "line")
        kept = t.dir / "kept"
        shutil.copy(copy, kept)
        copy.unlink()
        if replace:
            copy.write_bytes(b"#!/bin/false\n")
        ours = Attached(t, talk.pid)
        run = ours.leave()
        t.expect(run.data.get(path), "what ran is not recorded", run)
        talk.say()
        t.expect_equal(talk.end().status, 3, "end")
        copy.unlink(missing_ok=True)
        kept.rename(copy)
