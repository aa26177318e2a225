"""What the cases of processes_*.py share."""

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import harness
from harness import FULL, LIMIT, TARGETS, Failure, Run, Skip, case, marks_of, read_data, status_of

HERE = TARGETS / "processes"
ENDS = "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15"  # the oldest and the newest of each line source
SEVEN = f"{ENDS} bullseye-3.9 pyenv-3.13 sid-3.14"  # and those of the versions between them that attaching differs on
SIX = SEVEN.replace("pyenv-3.8 ", "")  # a version each from 3.9 on, but 3.10, which is as 3.9 here
TWO = "debian-3.11 sid-3.15"


def row(only=ENDS, **more):
    """A case for these interpreters; in the full run for all."""
    return case(only=None if FULL else only, **more)


def expect_exact(t, run, path):
    """The lines marked as hit are recorded, and no other, but those that end in "# hit or not"."""
    text = Path(path).read_text()
    hit, _ = marks_of(text, t.version)
    either = {n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# hit or not")}
    got = t.expect_data(run).get(os.path.realpath(path))
    t.expect(got is not None, f"{path} is not in the data: {sorted(run.data)}", run)
    t.compare(got - either, hit, path)


def expect_children(t, run, number):
    """The scripts that a target wrote for its children: so many, each with exactly the lines that it marks."""
    paths = sorted(t.dir.glob("child_*.py"))
    t.expect_equal(len(paths), number, "scripts of children")
    for path in paths:
        expect_exact(t, run, path)


def target(t, name, *args, number=0, **how):
    """Run a target plain and traced, and check all that is marked. The traced run is returned."""
    path = str(HERE / f"{name}.py")
    run = t.both(t.py(path, t.dir, *args), **how)
    t.expect(run.status == 0, "the target failed", run)
    t.expect_marks(run, path)
    expect_children(t, run, number)
    return run


def compile_c(t, name, *flags):
    out = t.dir / Path(name).name.replace(".", "_")
    made = t.run(["gcc", "-O1", "-w", *flags, "-o", out, HERE / name, "-ldl"])
    if made.status:
        raise Skip("gcc does not work")
    return str(out)


# ------------------------------------------------------------------------------------- programs to be spoken with


def kill(pid):
    """It may have ended by itself since we looked."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def tracer_of(pid):
    return int(status_of(pid).get("TracerPid") or 0)


class Talk:
    """A command that says and hears lines while it runs."""

    def __init__(self, t, argv, options=(), traced=True, **more):
        self.t = t
        self.argv = t.traced(argv, options) if traced else list(argv)
        more.setdefault("env", t.env)
        self.process = subprocess.Popen(
            [str(a) for a in self.argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=t.dir, start_new_session=True, bufsize=0, **more)
        self.pid = self.process.pid
        self.seen = b""

    def line(self):
        """The next line it says."""
        end = time.monotonic() + LIMIT
        while b"\n" not in self.seen:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                what = "is silent" if not ready else "has ended"
                err = b"" if not ready else self.process.stderr.read()
                raise Failure(f"it {what}: {' '.join(map(str, self.argv))}\n  stderr {err!r}\n"
                              f"  left: {harness.kill_descendants()}")
            self.seen += data
        line, _, self.seen = self.seen.partition(b"\n")
        return line.decode()

    def say(self, text=""):
        self.process.stdin.write(text.encode() + b"\n")

    @property
    def tracer(self):
        return tracer_of(self.pid)

    def end(self, leave=False):
        """Its end, and that of all others; its standard input is closed."""
        try:
            out, err = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise Failure(f"no end: {' '.join(map(str, self.argv))}; left: {harness.kill_descendants()}") from None
        if not leave:
            self.t.expect_nobody_left()
        run = Run(self.argv, self.pid, self.process.returncode, self.seen + out, err)
        run.data = read_data(self.t.data_file)
        return run


def wait_for(t, what, condition):
    """Until @condition is true; it is a fact that others bring about."""
    end = time.monotonic() + LIMIT
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {LIMIT} s")
        select.select([], [], [], 0.002)


def recorded(t, path=None):
    """The data file as it is now, as a run."""
    run = Run([], 0, None, b"", b"")
    run.data = read_data(path or t.data_file)
    return run


def without_ours(err):
    return re.sub(rb"(?m)^pycov-trace: .*\n", b"", err)
