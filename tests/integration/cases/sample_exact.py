"""`--exact --sample`: which lines ran, and which of them are running how often, in one run."""

import re
import sqlite3

from attaching import Attached
from harness import FULL, LIMIT, TARGETS, case
from processes import Talk, wait_for

MARKED = TARGETS / "sample" / "marked.py"
SPINS, BELOW = ({n, n + 1} for n, line in enumerate(MARKED.read_text().splitlines(), 1) if "range(" in line)
FEW = None if FULL else "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15"
BOTH = "--exact", "--sample", "--rate=500"


def samples_in(*files):
    """How often each line of each file was found running."""
    found = {}
    for file in files:
        if not file.exists():
            continue
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            if db.execute("select 1 from sqlite_master where name = 'pycov_trace_samples'").fetchone():
                for path, line, n in db.execute("select path, line, samples from pycov_trace_samples "
                                                "join file on file.id = file_id"):
                    found.setdefault(path, {}).setdefault(line, 0)
                    found[path][line] += n
        finally:
            db.close()
    return found


def are_sampled(found, path, *groups):
    lines = found.get(str(path), {}).keys()
    return all(lines & group for group in groups)


def expect_samples(t, found, path):
    t.expect_equal(list(found), [str(path)], "files with samples")
    hot = sum(n for line, n in found[str(path)].items() if line in SPINS | BELOW)
    t.expect(hot > sum(found[str(path)].values()) / 2, "the lines that spin cost most", found)


@case()
def lines_and_samples(t):
    """Of a process and its forked child; the file is written while they run, so that its end waits for facts alone."""
    target = Talk(t, t.py(MARKED), [*BOTH, "--save-every=0.2"])
    t.expect_equal(target.line(), "ready", "it begins")
    wait_for(t, "samples of both", lambda: are_sampled(samples_in(t.data_file), MARKED, SPINS, BELOW))
    run = target.end()
    t.expect_equal((run.status, run.err), (0, b""), f"its end: {run}")
    t.expect_marks(run, MARKED)
    t.expect_equal(list(run.data), [str(MARKED)], "files")
    expect_samples(t, samples_in(t.data_file), MARKED)


@case(only=FEW)
def of_what_is_attached_to(t):
    target = Talk(t, t.py(MARKED), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    attached = Attached(t, target.pid, options=[*BOTH, "--save-every=0.2", "--with-children"])
    wait_for(t, "samples of both", lambda: are_sampled(samples_in(t.data_file), MARKED, SPINS, BELOW))
    t.expect_equal(attached.control("reset")[0], 0, "reset")
    run = attached.end()
    t.expect_equal(run.status, 0, f"it leaves: {run}")
    t.expect_equal(target.end().status, 0, "the target")


@case(only="debian-3.11")
def what_a_short_process_cost(t):
    """What was seen of it is told before its end is, and the pages show it."""
    script = t.write("short.py", "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end:\n    pass\n")
    argv = ["sh", "-c", 'for i in 1 2; do "$@"; done; true', "sh", *t.py(script)]
    t.trace(argv, BOTH, limit=3 * LIMIT)
    found = samples_in(t.data_file)
    t.expect(are_sampled(found, script, {3, 4}), "samples", found)
    first = sum(found[script].values())
    t.run([t.program, *BOTH, "--append", "--data-file", t.data_file, "--", *argv], limit=3 * LIMIT)
    t.expect(sum(samples_in(t.data_file)[script].values()) > first, "samples are added", found)
    run = t.run([t.program, "html", "-d", t.dir / "htmlcov", "--data-file", t.data_file])
    pages = "".join(path.read_text() for path in (t.dir / "htmlcov").glob("*short_py.html"))
    t.expect(re.search(r'<p id="t[34]" class="r">.*class="heat', pages), "heat", run, pages)


@case(only=FEW)
def what_the_library_does(t):
    """It counts where it is called from, both ways to sample."""
    script = t.write("wraps.py", """
import select, textwrap
print("ready", flush=True)
while not select.select([0], [], [], 0)[0]:
    textwrap.wrap("some words " * 1000)
""")
    target = Talk(t, t.py(script), [*BOTH, "--save-every=0.2"])
    t.expect_equal(target.line(), "ready", "it begins")
    wait_for(t, "samples of the call", lambda: are_sampled(samples_in(t.data_file), script, {5}))
    alone = t.dir / "alone"

    def sampled():
        run = t.run([t.program, "sample", "-q", "-r", "500", "-d", "0.2", "--data-file", alone, "-p", target.pid], leave=True)
        t.expect_equal(run.status, 0, f"status: {run}")
        return are_sampled(samples_in(alone), script, {5})

    wait_for(t, "by sampling alone", sampled)
    t.expect_equal(target.end().status, 0, "its end")
    for found in samples_in(t.data_file), samples_in(alone):
        t.expect_equal(list(found), [script], "files with samples")
        t.expect(found[script][5] > sum(found[script].values()) / 2, "the call costs most", found)


@case(only="pyenv-3.12")
def in_files_of_their_own(t):
    target = Talk(t, t.py(MARKED), [*BOTH, "--save-every=0.2", "--parallel-mode"])
    t.expect_equal(target.line(), "ready", "it begins")

    def files():
        return list(t.dir.glob("data.*.pid*"))

    wait_for(t, "two files", lambda: len(files()) == 2)
    wait_for(t, "samples of both", lambda: are_sampled(samples_in(*files()), MARKED, SPINS, BELOW))
    t.expect_equal(target.end().status, 0, "its end")
    for file in files():
        is_child = f".pid{target.pid}." not in file.name
        lines = samples_in(file)[str(MARKED)]
        t.expect(not lines.keys() & (SPINS if is_child else BELOW), "samples of the other", file, lines)


@case(only=FEW)
def stacks_in_a_file(t):
    """Of the command and its child, written when the command ends; of what is attached to, when we leave."""
    target = Talk(t, t.py(MARKED), [*BOTH, "--save-every=0.2", "-f", "folded", "-o", "profile"])
    t.expect_equal(target.line(), "ready", "it begins")
    wait_for(t, "samples of both", lambda: are_sampled(samples_in(t.data_file), MARKED, SPINS, BELOW))
    run = target.end()
    t.expect_equal((run.status, run.err), (0, b""), f"its end: {run}")
    t.expect_marks(run, MARKED)
    found = (t.dir / "profile").read_text()
    for group in SPINS, BELOW:
        t.expect(any(f"marked.py:{line}) " in found for line in group), "stacks that end there", group, found)
    target = Talk(t, t.py(MARKED), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    attached = Attached(t, target.pid, options=[*BOTH, "--save-every=0.2", "-f", "flamegraph", "-o", "graph.svg"])
    wait_for(t, "samples", lambda: are_sampled(samples_in(t.data_file), MARKED, SPINS))
    t.expect_equal(attached.end().status, 0, "it leaves")
    t.expect("marked.py" in (t.dir / "graph.svg").read_text(), "the flame graph")
    t.expect_equal(target.end().status, 0, "the target")


@case(only="debian-3.11")
def what_is_said_of_it(t):
    run = t.run([t.program, "--append", "--sample", "--", "true"])
    t.expect(run.status == 2 and "--exact" in run.errors, "not the first option, and not --exact", run)
    for words in (["--output=x"], ["--exact", "--sample", "--format=folded"], ["--exact", "--sample", "-o", "-"],
                  ["--exact", "--sample", "-f", "none", "-o", "x"]):
        run = t.run([t.program, *words, "--", "true"])
        t.expect(run.status == 2 and not (t.dir / "x").exists(), "options that need others, or are wrong", words, run)
    run = t.run([t.program, "--exact", "--sample", "-o", "none/x", "--", "true"])
    t.expect(run.status == 1 and "cannot write" in run.errors, "no such folder", run)
    script = t.write("app.py", "pass\n")
    for words in (["--sample", "--exact"], ["--exact", "--sample"], ["--sample", "-q", "--exact"]):
        t.data_file.unlink(missing_ok=True)
        run = t.run([t.program, *words, "--data-file", t.data_file, "--", *t.py(script)])
        t.expect((run.status, run.out, t.data_file.exists()) == (0, b"", True), "it is the main command", words, run)
    run = t.run([t.program, "--sample", "-q", "-d", "5", "--", *t.py("-c", "sum(range(10 ** 7))", "--exact")])
    t.expect(run.status == 0 and b"own%" in run.out, "another command's option", run)
