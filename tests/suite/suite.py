"""What the scripts of this folder share: interpreters, runs, and the list of known differences."""

import concurrent.futures
import csv
import fcntl
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

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


def in_parallel(f, jobs, at_once):
    """f(*job) for all JOBS, AT_ONCE of them at a time, results in the order of the jobs."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(f, *job) for job in jobs]
        for future in futures:
            yield future.result()


def add_arguments(parser):
    """The options that the scripts of this folder share."""
    parser.add_argument("--pycov-trace", default=os.path.join(os.path.dirname(TESTS), "build", "pycov-trace"))
    parser.add_argument("-i", "--interpreter", action="append", default=[], help="a name of tests/pythons, or a pattern")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="how many at once")
    parser.add_argument("--full", action="store_true", default=FULL)
    parser.add_argument("--keep", metavar="DIR", type=os.path.abspath, help="leave logs and results here")
    parser.add_argument("--results", metavar="FILE", help="put what came out into this table, row by row")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the known differences too")


def commit():
    """What the results are of."""
    out = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=TESTS, stdout=subprocess.PIPE, text=True)
    return out.stdout.strip() or "unknown"


class Results:
    """A table of what came out last, for each interpreter and module. Rows of other runs stay."""

    COLUMNS = "suite interpreter version module compared differences known unsteady date commit".split()

    def __init__(self, path, name):
        self.path, self.name = path, name
        self.commit = commit() if path else None

    def read(self):
        if not os.path.exists(self.path):
            return {}
        with open(self.path, newline="") as f:
            rows = csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
            return {(row["suite"], row["interpreter"], row["module"]): row for row in rows}

    def note(self, p, module, compared, differences, known, unsteady):
        """COMPARED tests or lines, of which so many differ: not known, known, or in some runs only."""
        if not self.path:
            return
        values = (self.name, p.name, p.version, module, compared, differences, known, unsteady,
                  time.strftime("%Y-%m-%d", time.gmtime()), self.commit)
        with open(self.path + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            rows = self.read()
            rows[self.name, p.name, module] = dict(zip(self.COLUMNS, map(str, values)))
            with open(self.path + ".new", "w", newline="") as f:
                writer = csv.DictWriter(f, self.COLUMNS, delimiter="\t", quoting=csv.QUOTE_NONE, lineterminator="\n")
                writer.writeheader()
                writer.writerows(row for _, row in sorted(rows.items()))
            os.replace(self.path + ".new", self.path)


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
                self.used.add((i, p.name))
                return row
        return None

    def forget(self, p, construct):
        """The row was found, but does not hold under P."""
        self.used -= {(i, p.name) for i, row in enumerate(self.rows) if row["construct"] == construct}

    def untrue(self, pythons, names):
        """(row, interpreter) of what should have differed under PYTHONS and did not. NAMES: what was run of each."""
        return [(row, p) for i, row in enumerate(self.rows) for p in pythons
                if version_matches(row["versions"], p) and row["construct"].partition(":")[0] in names[p.name]
                and (i, p.name) not in self.used]


def report_untrue(known, pythons, names):
    rows = known.untrue(pythons, names)
    for row, p in rows:
        print("not true any more: %s on %s (%s)" % (row["construct"], p, row["reason"]))
    return len(rows)
