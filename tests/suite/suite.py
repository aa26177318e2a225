"""What the scripts of this folder share: interpreters, runs, and the list of known differences."""

import concurrent.futures
import csv
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
FULL = os.environ.get("PYCOV_TRACE_FULL", "") not in ("", "0")


class Python:
    def __init__(self, row):
        self.__dict__.update(row)
        self.minor = tuple(int(n) for n in self.version.split(".")[:2])

    def __str__(self):
        return self.name


def pythons(patterns=()):
    """The interpreters that tests/pythons lists and that have CPython's own tests; of them what PATTERNS name."""
    out = subprocess.run([os.path.join(TESTS, "pythons"), "--list"], stdout=subprocess.PIPE, text=True, check=True)
    rows = [Python(row) for row in csv.DictReader(out.stdout.splitlines(), delimiter="\t")]
    rows = [p for p in rows if p.tests == "yes"]
    if patterns:
        rows = [p for p in rows if any(fnmatch.fnmatch(p.name, pat) for pat in patterns)]
        if not rows:
            sys.exit("no interpreter is called " + " or ".join(patterns))
    return rows


def ends_of_line_sources(rows):
    """The oldest and the newest interpreter of each line source: traps in two forms, and sys.monitoring."""
    ret = []
    for first, last in ((3, 8), (3, 10)), ((3, 11), (3, 11)), ((3, 12), (3, 99)):
        source = sorted((p for p in rows if first <= p.minor <= last), key=lambda p: p.minor)
        ret += source[:1] + source[-1:][: len(source) - 1]
    return ret


def run(command, log, timeout, cwd, env=None):
    """Run COMMAND, all it says into the file LOG. Its exit status, negative for a signal; None if it did not end."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE", "PYCOV"))}
    environ["PYTHONHASHSEED"] = "0"
    environ.update(env or {})
    with open(log, "wb") as f:
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f, cwd=cwd, env=environ,
                             start_new_session=True)
        try:
            return p.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(p.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            p.wait()


def read_results(path):
    """What run_module.py wrote: {test: outcome}, {test: detail}."""
    try:
        with open(path) as f:
            rows = [json.loads(line) for line in f]
    except (OSError, ValueError):
        rows = []
    return {t: outcome for t, outcome, _ in rows}, {t: detail for t, _, detail in rows}


def in_parallel(f, jobs):
    """f(*job) for all JOBS on all processors, results in the order of the jobs."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(f, *job) for job in jobs]
        for future in futures:
            yield future.result()


def scratch(prefix):
    return tempfile.TemporaryDirectory(prefix="pycov-trace-" + prefix, dir="/tmp", ignore_cleanup_errors=True)


def version_matches(versions, p):
    """VERSIONS: `3.8`, `3.8-3.10`, `3.12-`, an interpreter's name, or several with commas between."""
    for item in versions.split(","):
        first, dash, last = item.partition("-")
        if item == p.name:
            return True
        try:
            low = tuple(int(n) for n in first.split("."))
            high = tuple(int(n) for n in last.split(".")) if last else (3, 99)
        except ValueError:
            continue
        if low <= p.minor <= (high if dash else low):
            return True
    return False


class Known:
    """A committed list of known differences. Each row must be true: what never differs is an error."""

    def __init__(self, name):
        self.path = os.path.join(TESTS, name)
        with open(self.path, newline="") as f:
            lines = [line for line in f if not line.startswith("#")]
        self.rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        self.used = set()

    def find(self, p, name):
        """The row that says why NAME differs under P, or None."""
        for i, row in enumerate(self.rows):
            if version_matches(row["versions"], p) and fnmatch.fnmatchcase(name, row["construct"]):
                self.used.add(i)
                return row
        return None

    def unused(self):
        return [row for i, row in enumerate(self.rows) if i not in self.used]
