"""What the cases stand on: interpreters, runs that cannot hang, data files, and the truth in marked scripts.

A case is a function `case(t)` marked by @case; it runs for every interpreter that its marks let it. It raises Failure,
and nothing it started outlives it: this process adopts all orphans (PR_SET_CHILD_SUBREAPER), and the end of each of
them is waited for. Whatever is still there after LIMIT seconds is a failure, and is killed.
"""

import ctypes
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

LIMIT = 100
FULL = os.environ.get("PYCOV_TRACE_FULL") == "1"
CI = os.environ.get("CI") == "true"
TESTS = Path(__file__).resolve().parent.parent
TARGETS = TESTS / "targets"
PYCOV_TRACE = os.environ.get("PYCOV_TRACE", str(TESTS.parent / "build" / "pycov-trace"))
# The same with targets/kill_at.c in it.
KILL_AT = os.environ.get("PYCOV_TRACE_KILL_AT", str(TESTS.parent / "build" / "tests" / "pycov-trace-kill-at"))
NEW, LEFT = "lines recorded that did not run", "lines that ran but are not recorded"


class Failure(Exception):
    """What was expected, and what came."""


class Skip(Exception):
    """What is missing on this machine."""


# ---------------------------------------------------------------------------------------------- interpreters


def version_of(text):
    return tuple(int(n) for n in text.split(".")[:2])


class Python:
    """One line of the table that tests/pythons writes."""

    def __init__(self, row):
        self.name, self.kind, self.command = row["name"], row["kind"], row["command"]
        self.version = version_of(row["version"])
        self.full_version = row["version"]
        self.exe, self.coverage, self.has_tests = row["exe"], row["coverage"], row["tests"] == "yes"
        self.servers = row.get("servers", "-")
        self.root = None if row["root"] == "-" else row["root"]

    def inside(self, *argv, cwd):
        """A command that runs @argv as this interpreter's own system sees it."""
        return ["unshare", f"--root={self.root}", f"--wd={cwd}", *argv] if self.root else list(argv)

    @property
    def monitors(self):
        """Lines come from sys.monitoring, not from traps."""
        return self.version >= (3, 12)


def cache_path():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(os.environ.get("PYCOV_TRACE_CACHE") or os.path.join(cache, "pycov-trace"))


def table_path():
    return Path(os.environ.get("PYCOV_TRACE_PYTHONS") or cache_path() / "pythons.tsv")


def load_pythons():
    names, *rows = [line.split("\t") for line in table_path().read_text().splitlines()]
    return [Python(dict(zip(names, row))) for row in rows]


# --------------------------------------------------------------------------------------------------- processes

_wake_r, _wake_w = os.pipe()


def own_all_descendants():
    PR_SET_CHILD_SUBREAPER = 36
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    os.set_blocking(_wake_w, False)
    os.set_blocking(_wake_r, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(_wake_w, warn_on_full_buffer=False)


def status_of(pid):
    """/proc/PID/status as a dictionary; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")  # a name is cut anywhere
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def descendants():
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        ppid = status_of(pid).get("PPid")
        if ppid:
            parents.setdefault(int(ppid), []).append(int(pid))
    found, todo = [], [os.getpid()]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def describe_process(pid):
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        command = ""
    status = status_of(pid)
    return f"{pid} [{status.get('State', '?')}, tracer {status.get('TracerPid', '?')}] {command.strip()}"


def kill_descendants():
    """Kill all that is left, and say what it was."""
    left = [describe_process(pid) for pid in descendants()]
    for _ in range(3):  # what was being born meanwhile
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    reap_all(LIMIT)
    return "; ".join(left)


def reap_all(limit):
    """True when no child and no orphan is left, within @limit seconds."""
    end = time.monotonic() + limit
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid:
            continue
        select.select([_wake_r], [], [], max(0, end - time.monotonic()))
        try:
            os.read(_wake_r, 4096)
        except BlockingIOError:
            pass
        if time.monotonic() >= end:
            return False


class Run:
    """What a command did."""

    def __init__(self, argv, pid, status, out, err):
        self.argv, self.pid, self.status, self.out, self.err = argv, pid, status, out, err
        self.data = None

    @property
    def text(self):
        return self.out.decode(errors="replace")

    @property
    def errors(self):
        return self.err.decode(errors="replace")

    def __str__(self):
        return f"status {self.status}\n  stdout {self.out[-800:]!r}\n  stderr {self.err[-1500:]!r}"


# ------------------------------------------------------------------------------------------------ the data file


_BYTES = re.compile(rb"[^\0]+")


def lines_of(numbits):
    """Line 0 is none: coverage.py has it for empty modules of 3.11."""
    return {8 * i + j for m in _BYTES.finditer(numbits) for i in range(*m.span()) for j in range(8)
            if numbits[i] >> j & 1} - {0}


def read_data(path):
    """The executed lines of each file in a data file; None if there is no such file."""
    if not os.path.exists(path):
        return None
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = dict(db.execute("select id, path from file"))
        files = {name: set() for name in names.values()}
        for i, numbits in db.execute("select file_id, numbits from line_bits"):
            files[names[i]] |= lines_of(numbits)
        return files
    finally:
        db.close()


def ranges(lines):
    """{1, 2, 3, 7} as "1-3 7"."""
    runs = []
    for line in sorted(lines):
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:40]) or "none"


_MARK = re.compile(r"#\s*(hit|miss)(?:\s*(>=|<)\s*(3\.\d+))?\s*$")


def marks_of(text, version):
    """The lines marked `# hit` and `# miss`. `# hit >= 3.12` is a miss before; `# miss < 3.10` is a hit since."""
    hit, miss = set(), set()
    for number, line in enumerate(text.splitlines(), 1):
        found = _MARK.search(line)
        if not found:
            continue
        word, operator, bound = found.groups()
        holds = not operator or (version >= version_of(bound)) == (operator == ">=")
        (hit if (word == "hit") == holds else miss).add(number)
    return hit, miss


# ------------------------------------------------------------------------------------------- known differences


class Differences:
    """The lines of known_differences.tsv: construct, versions, reason."""

    def __init__(self, path=TESTS / "known_differences.tsv"):
        _, *rows = [line.split("\t") for line in path.read_text().splitlines()]
        self.versions = {construct: versions for construct, versions, _ in rows}

    def has(self, construct, version):
        spec = self.versions.get(construct)
        if spec is None:
            return False
        if spec == "all":
            return True
        return any(
            version_of(low) <= version <= version_of(high)
            for low, _, high in ((part.partition("-")[0], "", part.rpartition("-")[2]) for part in spec.split(","))
        )


# ------------------------------------------------------------------------------------------------------- cases

CASES = []


class Case:
    def __init__(self, function, group, versions, only):
        self.function, self.group, self.versions, self.only = function, group, versions, only
        self.name = f"{group}.{function.__name__}"

    def applies(self, python):
        if self.only and python.name not in self.only.split():
            return False
        low, high = self.versions
        return low <= python.version <= high


def case(since="3.8", until="3.99", only=None, group=None):
    """Mark a function as a case, for the versions since..until; @only names the interpreters when not all."""

    def mark(function):
        name = group or function.__module__.rpartition(".")[2]
        CASES.append(Case(function, name, (version_of(since), version_of(until)), only))
        return function

    return mark


class T:
    """What a case works with: an interpreter, a folder of its own, runs and checks."""

    def __init__(self, python, folder):
        self.python, self.version = python, python.version
        self.dir = Path(folder)
        self.data_file = self.dir / "data"
        self.differences = Differences()
        self.program = PYCOV_TRACE
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.dir),
            "LANG": "C.UTF-8",
        }

    # ---- files

    def write(self, name, text, mode=None):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        if mode is not None:
            path.chmod(mode)
        return str(path)

    # ---- commands

    def py(self, *args):
        return [self.python.command, *map(str, args)]

    def inside(self, *argv):
        return self.python.inside(*map(str, argv), cwd=self.dir)

    def traced(self, argv, options=(), data=True):
        chosen = ["--data-file", str(self.data_file)] if data else []
        return [self.program, *chosen, *options, "--", *argv]

    # ---- runs

    def run(self, argv, stdin=None, env=None, cwd=None, limit=LIMIT, leave=False, **more):
        """Run a command to its end. Nothing of it may be left then (unless @leave), and nothing may hang."""
        argv = [str(arg) for arg in argv]
        more.setdefault("start_new_session", True)
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env if env is None else env,
            cwd=cwd or self.dir,
            **more,
        )
        try:
            out, err = process.communicate(stdin, timeout=limit)
        except subprocess.TimeoutExpired as e:
            left = kill_descendants()
            raise Failure(f"no end within {limit} s: {' '.join(argv)}\n  stdout {e.stdout!r}\n"
                          f"  stderr {e.stderr!r}\n  left: {left}") from None
        if not leave:
            self.expect_nobody_left()
        return Run(argv, process.pid, process.returncode, out, err)

    def expect_nobody_left(self, limit=LIMIT):
        if not reap_all(limit):
            raise Failure(f"left behind: {kill_descendants()}")

    def trace(self, argv, options=(), data=True, **how):
        """Run a command under pycov-trace and read its data."""
        if data:
            self.data_file.unlink(missing_ok=True)
        run = self.run(self.traced(argv, options, data), **how)
        run.data = read_data(self.data_file)
        return run

    def both(self, argv, options=(), prepare=None, **how):
        """Run a command plain and under pycov-trace: both must do the same. The traced run is returned."""
        if prepare:
            prepare()
        plain = self.run(argv, **how)
        if prepare:
            prepare()
        traced = self.trace(argv, options, **how)
        self.expect_same(plain, traced)
        traced.plain = plain
        return traced

    # ---- checks

    def expect(self, condition, message, *details):
        if not condition:
            raise Failure("\n  ".join([message, *map(str, details)]))

    def expect_equal(self, got, expected, what):
        if got != expected:
            raise Failure(f"{what}: got {got!r:.2000}, expected {expected!r:.2000}")

    def expect_same(self, plain, traced):
        for what in ("status", "out", "err"):
            if getattr(plain, what) != getattr(traced, what):
                raise Failure(f"{what} differs: {' '.join(plain.argv)}\n plain:  {plain}\n traced: {traced}")

    def expect_data(self, run):
        if run.data is None:
            raise Failure(f"no data file: {run}")
        return run.data

    def expect_lines(self, run, path, lines):
        """Exactly @lines of the file @path are recorded."""
        got = self.expect_data(run).get(os.path.realpath(path))
        if got is None:
            raise Failure(f"{path} is not in the data: {sorted(run.data)}; {run}")
        self.compare(got, set(lines), path)

    @staticmethod
    def compare(got, expected, path):
        if got != expected:
            raise Failure(f"{path}: {NEW}: {ranges(got - expected)}; {LEFT}: {ranges(expected - got)}")

    def expect_marks(self, run, path, text=None):
        """The lines marked as hit are recorded, those marked as missed are not."""
        hit, miss = marks_of(text or Path(path).read_text(), self.version)
        got = self.expect_data(run).get(os.path.realpath(path))
        if got is None:
            raise Failure(f"{path} is not in the data: {sorted(run.data)}; {run}")
        if hit - got or miss & got:
            raise Failure(f"{path}: {NEW}: {ranges(miss & got)}; {LEFT}: {ranges(hit - got)}")

    def coverage(self, *args, options=(), env=None, flags=(), **how):
        """What coverage.py records for the same arguments of this interpreter; None if it is not there."""
        if self.python.coverage == "-":
            return None
        data = self.dir / "oracle"
        data.unlink(missing_ok=True)
        env = {**(env or self.env), "PYTHONPATH": self.python.coverage}
        run = self.run(self.py(*flags, "-m", "coverage", "run", f"--data-file={data}", *options, *args), env=env, **how)
        run.data = read_data(data)
        return run

    def expect_oracle(self, run, oracle, below=None):
        """The same lines as coverage.py, in each file below this case's folder."""
        if oracle is None:
            return
        if oracle.data is None:
            raise Failure(f"coverage.py wrote no data: {oracle}")
        base = str(below or self.dir) + "/"
        ours = {p: lines for p, lines in self.expect_data(run).items() if p.startswith(base)}
        theirs = {p: lines for p, lines in oracle.data.items() if p.startswith(base)}
        for path in sorted(ours.keys() | theirs.keys()):
            if (path in ours) != (path in theirs):
                raise Failure(f"{path} is in the data of {'pycov-trace' if path in ours else 'coverage.py'} only")
            got, expected = ours[path], theirs[path]
            if got != expected:
                raise Failure(f"{path}, against coverage.py: {NEW}: {ranges(got - expected)}; "
                              f"{LEFT}: {ranges(expected - got)}")

    def difference(self, construct):
        """A `with` block whose checks hold, unless known_differences.tsv lists it: then one of them must fail."""
        return _Difference(construct, self.differences.has(construct, self.version))


class _Difference:
    def __init__(self, construct, listed):
        self.construct, self.listed = construct, listed

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None and self.listed:
            raise Failure(f"{self.construct} is a known difference, but there is none any more")
        return self.listed and kind is not None and issubclass(kind, Failure)


def run_case(one, python):
    """None if it passed, else the exception."""
    folder = tempfile.mkdtemp(prefix="pycov-trace-test.", dir=os.path.realpath(tempfile.gettempdir()))
    t = T(python, folder)
    try:
        one.function(t)
        t.expect_nobody_left()
    except (Failure, Skip) as e:
        return e
    except Exception as e:  # the case itself is broken
        import traceback

        return Failure("".join(traceback.format_exception(type(e), e, e.__traceback__)))
    finally:
        kill_descendants()
        if not os.environ.get("PYCOV_TRACE_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    return None
