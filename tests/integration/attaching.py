"""What the cases of attach_*.py share: programs that run already, and a pycov-trace that attaches to them."""

import os
import select
import signal
import struct
import subprocess
import time
from pathlib import Path

import harness
from harness import LIMIT, TARGETS, Failure, Run, read_data, status_of
from processes import Talk, tracer_of, wait_for

HERE = TARGETS / "attach"
SIGNALS = "SigIgn", "SigCgt", "SigBlk"


# ------------------------------------------------------------------------------------------------ what is in memory


def maps_of(pid):
    """(start, end, permissions, offset, inode, path) of each mapping."""
    rows = []
    for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
        bounds, permissions, offset, _, inode, *path = line.split(None, 5)
        start, end = (int(n, 16) for n in bounds.split("-"))
        rows.append((start, end, permissions, int(offset, 16), int(inode), path[0] if path else ""))
    return rows


def memory_at(pid, at, n):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(at)
        return memory.read(n)


def write_at(pid, at, data):
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(at)
        memory.write(data)


def end_of_text(file):
    """Where the executable segment of an ELF file ends; the rest of its last page is nobody's. libffi's is no ELF file."""
    if file.read(4) != b"\x7fELF":
        return 0
    file.seek(32)
    at, = struct.unpack("<Q", file.read(8))
    file.seek(54)
    size, number = struct.unpack("<HH", file.read(4))
    for i in range(number):
        file.seek(at + i * size)
        kind, flags, offset, _, _, length = struct.unpack("<IIQQQQ", file.read(40))
        if kind == 1 and flags & 1:
            return offset + length
    return 0


def text_differences(pid, within=False):
    """Where instructions in memory are not those of their files, (path, offset in the file); only @within the programs,
    or also behind their ends."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, permissions, offset, inode, path in maps_of(pid):
            if not inode or "x" not in permissions:
                continue
            with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as f:
                length = max(0, min(end - start, end_of_text(f) - offset)) if within else end - start
                f.seek(offset)
                there = f.read(length)
            memory.seek(start)
            here = b""
            while len(here) < len(there):
                here += memory.read(len(there) - len(here))
            if here != there:
                found += [(path, hex(offset + i)) for i in range(len(there)) if here[i] != there[i]][:5]
    return found


def signals_of(pid):
    """How each thread treats signals."""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        status = status_of(f"{pid}/task/{tid}")
        found[tid] = [status.get(name) for name in SIGNALS]
    return found


class Before:
    """What a program is without us, to be compared when we have left."""

    def __init__(self, t, pid):
        self.t, self.pid = t, pid
        # While a thread is made, the C library blocks all its signals.
        wait_for(t, "signals", lambda: not any(int(s[2] or "0", 16) >> 31 & 1 for s in signals_of(pid).values()))
        self.signals, self.text = signals_of(pid), text_differences(pid)
        t.expect_equal(self.text, [], "instructions that are not those of the file, before")

    def expect_same(self):
        self.t.expect_equal(tracer_of(self.pid), 0, "TracerPid")
        self.t.expect_equal(text_differences(self.pid), [], "instructions that are not those of the file")
        now = signals_of(self.pid)
        for tid in now.keys() & self.signals.keys():
            self.t.expect_equal(now[tid], self.signals[tid], f"{SIGNALS} of thread {tid}")


# ---------------------------------------------------------------------------------------------------- pycov-trace


class Attached:
    """`pycov-trace -p` of one process or more."""

    def __init__(self, t, *pids, options=(), wait=True, program=None, env=None, data_file=None):
        self.t, self.pids, self.data_file = t, pids, data_file or t.data_file
        self.argv = [program or t.program, "--data-file", str(self.data_file), *options]
        for pid in pids:
            self.argv += ["-p", str(pid)]
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env or t.env, cwd=t.dir, start_new_session=True)
        self.pid, self.seen = self.process.pid, b""
        if wait:
            self.wait_until("attached to")

    def wait_until(self, text):
        """Until it has said so."""
        end = time.monotonic() + LIMIT
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            if not data:
                what = "has ended" if ready else "is silent"
                raise Failure(f"pycov-trace {what}, without {text!r}: {self.seen!r}; {self.where()}")
            self.seen += data

    def where(self):
        """Where everybody is, for a message."""
        return "; ".join(harness.describe_process(pid) for pid in harness.descendants())

    def control(self, word, of=None):
        run = self.t.run([self.t.program, word, str(of or self.pids[0])], leave=True)
        return run.status, run.text.strip() or run.errors.strip()

    def end(self, sig=signal.SIGINT):
        """It leaves: what it did."""
        if sig and self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            out, err = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise Failure(f"pycov-trace does not leave: {self.seen!r}; {self.where()}") from None
        run = Run(self.argv, self.pid, self.process.returncode, out, self.seen + err)
        run.data = read_data(self.data_file)
        return run

    def leave(self, sig=signal.SIGINT):
        """It leaves, and all is well."""
        run = self.end(sig)
        self.t.expect(run.status == 0 and run.data is not None, "pycov-trace failed", run)
        return run


def expect_marks(t, run, path, mode=None):
    """As expect_exact(), where "# hit in MODE, ..." is for these modes."""
    lines = Path(path).read_text().splitlines()
    hit, either = set(), set()
    for number, line in enumerate(lines, 1):
        mark = line.rpartition("# ")[2] if "# " in line else ""
        if mark == "hit" or mark.startswith("hit in ") and mode in mark[len("hit in "):].split(", "):
            hit.add(number)
        elif mark == "hit or not":
            either.add(number)
    got = t.expect_data(run).get(os.path.realpath(path))
    t.expect(got is not None, f"{path} is not in the data: {sorted(run.data)}", run)
    t.compare(got - either, hit, path)


def is_armed(pid):
    """It is prepared that the next thread that wakes comes to us."""
    return lambda: tracer_of(pid) and text_differences(pid, within=True)
