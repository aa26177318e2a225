"""`pycov-trace sample --native`: compiled code and Python, in the order in which they called each other."""

import os
import re
import subprocess
from pathlib import Path

from harness import FULL, TARGETS, Skip, case
from processes import Talk, wait_for

HERE = TARGETS / "sample"
FRAME = re.compile(r"(.*) \((.*?)(?::(\d+))?\)$")
EACH_VERSION = "pyenv-3.8 pyenv-3.9 pyenv-3.10 debian-3.11 pyenv-3.12 pyenv-3.13 sid-3.14 sid-3.15"
CALLS = ["outer", "compare", "key"]


def frames_of(stack):
    """(function, name of the file) of each, outermost first, and where its thread is said."""
    thread, *frames = stack.split(";")
    return thread, [(match[1], os.path.basename(match[2])) for match in map(FRAME.match, frames)]


def sample(t, pid, seconds):
    out = t.dir / "profile"
    run = t.run([t.program, "sample", "-q", "--native", "--threads", "--full-filenames", "-f", "folded", "-o", out,
                 "-p", pid, "-r", "200", "-d", seconds], leave=True)
    t.expect_equal(run.status, 0, f"status: {run}")
    return [frames_of(line.rpartition(" ")[0]) for line in Path(out).read_text().splitlines()]


def between(frames, first, second):
    """The files of what is between two functions."""
    names = [name for name, file in frames]
    return [file for name, file in frames[names.index(first) + 1:names.index(second)]]


def expect_order(t, frames):
    python = [name for name, file in frames if file == "between.py"]
    t.expect(python[:1] in (["<module>"], ["called"]) and python[1:] == CALLS[:len(python) - 1], "Python's", frames)
    if len(python) == len(frames):  # in a page that libffi made: there is no telling
        return False
    t.expect(frames[0][1] != "between.py", "what Python was called from", frames)
    t.expect(not any("_PyEval_EvalFrameDefault" in name for name, file in frames), "a loop", frames)
    if "compare" in python:
        files = between(frames, "outer", "compare")
        where = [any(name in file for file in files) for name in ("_ctypes", "libffi", "libc")]
        t.expect_equal(where, [True] * 3, f"between outer and compare in {frames}")
    if "key" in python:
        files = between(frames, "compare", "key")
        t.expect(files and not any("libc" in f or "libffi" in f for f in files), "between compare and key", frames)
    return python[-1] == "key"


def expect_both_threads(t, argv, **how):
    target = Talk(t, argv, traced=False, **how)
    t.expect_equal(target.line(), "ready", "the target")
    begun = set()

    def both():
        for thread, frames in sample(t, target.pid, "1"):
            if expect_order(t, frames):
                begun.add((thread, next(name for name, file in frames if file == "between.py")))
        return {name for thread, name in begun} == {"<module>", "called"}

    wait_for(t, "whole stacks of both threads", both)
    t.expect_equal(len({thread for thread, name in begun}), 2, "threads")
    target.process.kill()
    target.end()


@case(only=None if FULL else EACH_VERSION)
def python_and_c_call_each_other(t):
    expect_both_threads(t, t.py(HERE / "between.py"))


@case(only="debian-3.11 bullseye-3.9 sid-3.15")
def an_interpreter_without_symbols(t):
    """No table but those that the program needs to run, and nothing that leads to debug information."""
    copy = t.dir / "python"
    exe = (t.python.root or "") + t.python.exe
    if subprocess.run(["objcopy", "--strip-all", "--remove-section=.gnu_debuglink",
                       "--remove-section=.note.gnu.build-id", exe, copy]).returncode:
        raise Skip("optional: objcopy does not work")
    argv = t.python.inside(str(copy), str(HERE / "between.py"), cwd=t.dir)
    expect_both_threads(t, argv, env={**t.env, "PYTHONHOME": "/usr"})
