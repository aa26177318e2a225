"""`pycov-trace sample`: what it counts is what ran."""

import os
import re
import signal
import sqlite3
import time
from pathlib import Path

from harness import FULL, LIMIT, TARGETS, case, lines_of
from processes import Talk, wait_for

HERE = TARGETS / "sample"
FRAME = re.compile(r"(.*) \((.*):(\d+)\)$")
FEW = "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15"
EACH_VERSION = "pyenv-3.8 pyenv-3.9 pyenv-3.10 debian-3.11 pyenv-3.12 pyenv-3.13 sid-3.14 sid-3.15"


def few(function):
    return case(only=None if FULL else FEW)(function)


def stacks(path):
    """The stacks of a folded profile: a list of (function, file, line), outermost first, and how often."""
    found = []
    for line in Path(path).read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        matches = [FRAME.match(frame) for frame in stack.split(";")]
        found.append(([match.groups() for match in matches if match], int(count)))
    return found


def sample(t, *options, command=(), status=0, leave=False, **how):
    out = t.dir / "profile"
    out.unlink(missing_ok=True)
    run = t.run([t.program, "sample", "-f", "folded", "--full-filenames", "-o", out, *options,
                 *(["--", *command] if command else [])], leave=leave, **how)
    t.expect_equal(run.status, status, f"status of sample: {run}")
    return stacks(out), run


def talk(t, name, *args):
    target = Talk(t, t.py(HERE / name, *args), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    return target


def end(target, clean=True):
    if not clean:
        target.process.kill()
    run = target.end()
    assert run.status == (0 if clean else -signal.SIGKILL), run


def may_flutter(frames, call):
    """Can this be a stack of flutter.py?"""
    names = [frame[0] for frame in frames]
    if "turns" not in names:
        return True
    at = names.index("turns")
    chain = frames[at + 1:]
    if not chain:
        return True
    if int(frames[at][2]) != call:
        return False
    name = chain[0][0][0]
    for i, (function, file, line) in enumerate(chain):
        begins = i == len(chain) - 1 and int(line) == 2 * i + 1
        if (function, file) != (f"{name}{i}", f"{name}.py") or not (begins or int(line) == 2 * i + 2):
            return False
    return True


def callee(function, line):
    """Who is called there, in paths.py."""
    name = function.rstrip("_")
    if function != name:
        return name
    return name + {2: "1", 3: "2_", 4: "3__"}.get(line, "?")


def may_take_paths(frames, call):
    """Can this be a stack of paths.py?"""
    at = next((i for i, frame in enumerate(frames) if frame[0].startswith("p")), len(frames))
    if at < len(frames) and (frames[at][0] != "p" or int(frames[at - 1][2]) != call):
        return False
    return all(callee(function, int(line)) == called
               for (function, _, line), (called, *_) in zip(frames[at:], frames[at + 1:]))


def may_generate(frames, call):
    """Can this be a stack of generators.py? None of them was ever without its callers."""
    names = [frame[0] for frame in frames]
    return names == ["<module>", "main", "g1", "g2"][:len(names)] and (len(names) < 3 or int(frames[1][2]) == call)


PATTERNS = {"flutter.py": may_flutter, "paths.py": may_take_paths, "generators.py": may_generate}


def count_wrong(t, program, *options):
    """Samples of a program whose stacks are all known: how many, those that cannot be, and how many were dropped."""
    text = (HERE / program).read_text().splitlines()
    call = next(n for n, line in enumerate(text, 1) if line.endswith("# CALL"))
    target = talk(t, program)
    found, dropped = [], 0

    def enough():
        nonlocal dropped
        more, run = sample(t, "-p", target.pid, "-r", "2000", "-d", "0.5", *options, leave=True)
        found.extend(more)
        loss = re.search(r"(\d+) samples dropped because the target moved", run.errors)
        dropped += int(loss[1]) if loss else 0
        return sum(n for _, n in found) > 20 and any(frames[-1][0][-1].isdigit() for frames, _ in found)

    wait_for(t, "enough samples", enough)
    end(target)
    wrong = [(frames, n) for frames, n in found if not PATTERNS[program](frames, call)]
    return sum(n for _, n in found), wrong, dropped


@case(only=None if FULL else EACH_VERSION)
def only_stacks_that_were_there(t):
    for program in PATTERNS:
        total, wrong, dropped = count_wrong(t, program)
        t.expect(sum(n for _, n in wrong) <= total / 1000, f"wrong stacks among {total} of {program}", wrong)
        t.expect(dropped <= total / 10, f"hardly any of {total} of {program} is dropped", dropped)


@few
def stopped_threads_have_no_other(t):
    for program in PATTERNS:
        total, wrong, dropped = count_wrong(t, program, "--blocking")
        t.expect(not wrong, f"wrong stacks among {total} of {program}", wrong)
        t.expect_equal(dropped, 0, f"dropped of {program}")


@few
def processes_below(t):
    sampled = set()

    def all_were():
        found, _ = sample(t, "-r", "200", command=t.py(HERE / "tree.py"), status=7, limit=3 * LIMIT)
        sampled.update(frame[0] for frames, _ in found for frame in frames)
        return {"forked", "spawned", "below_sh", "empty_environment", "parent"} <= sampled

    wait_for(t, "samples of each process", all_were)
    found, _ = sample(t, "-r", "200", "--no-subprocesses", command=t.py(HERE / "tree.py"), status=7, limit=3 * LIMIT)
    names = {frame[0] for frames, _ in found for frame in frames}
    t.expect(not names & {"forked", "spawned"}, "without subprocesses", names)


@few
def threads_by_what_they_do(t):
    target = talk(t, "states.py")

    def functions(*options):
        found, _ = sample(t, "-p", target.pid, "-r", "500", "-d", "0.5", *options, leave=True)
        names = {frame[0] for frames, _ in found for frame in frames}
        t.expect("--idle" in options or "waits" not in names, "a thread that waits", options, names)
        return names

    wait_for(t, "threads that run", lambda: "spins" in functions())
    wait_for(t, "threads that wait as well", lambda: {"waits", "spins", "sleeps"} <= functions("--idle"))
    wait_for(t, "those that hold the GIL", lambda: "spins" in functions("--gil"))
    end(target, clean=False)


def functions_of_a_sleeper(t, seconds, *options, how=()):
    """What a thread is seen in that wakes up once, by a sampler that has taken it for one that sleeps on."""
    target = talk(t, "sleeper.py", *how)
    out = t.dir / "profile"
    sampler = Talk(t, [t.program, "sample", *options, "-p", target.pid, "-f", "folded", "-o", out, "-r", "1000"],
                   traced=False)
    wait_for(t, "it sleeps on", lambda: any(link.endswith("/schedstat") for link in links(sampler.pid)))
    time.sleep(seconds)  # the longer, the less it is looked at
    target.say()
    t.expect_equal(target.line(), "there", "it wakes up")
    time.sleep(seconds)
    sampler.process.send_signal(signal.SIGINT)
    run = sampler.end(leave=True)
    t.expect_equal(run.status, 0, f"the sampler: {run}")
    end(target)
    return {frame[0] for frames, _ in stacks(out) for frame in frames}


@few
def a_thread_that_sleeps_on_and_wakes_up(t):
    """What it was found in is its stack as long as it has not run."""
    seconds = iter(0.4 * 2 ** n for n in range(100))
    wait_for(t, "both", lambda: {"here", "there"} <= functions_of_a_sleeper(t, next(seconds), "--idle"))


@few
def a_thread_that_sleeps_on_and_computes_in_c(t):
    """It wakes up without the GIL, among others that sleep on."""
    seconds = iter(0.2 * 2 ** n for n in range(100))
    wait_for(t, "C code that runs", lambda: "scans" in functions_of_a_sleeper(t, next(seconds), how=["compiled"]))


def times_woken(pid):
    """How often all its threads have come to a CPU."""
    return sum(int(path.read_text().split()[2]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


@few
def threads_that_sleep_are_left_asleep(t):
    """Who sleeps while it is read need not be stopped for that, but for the first time."""
    target = talk(t, "sleeper.py")
    before = times_woken(target.pid)
    seconds = iter(0.5 * 2 ** n for n in range(100))

    def counted():
        found, _ = sample(t, "--idle", "--blocking", "-p", target.pid, "-r", "500", "-d", str(next(seconds)), leave=True)
        return sum(n for _, n in found) > 2000

    wait_for(t, "many samples", counted)
    woken = times_woken(target.pid) - before
    t.expect(woken < 1000, "how often they were woken", woken)
    end(target)


@case(only="debian-3.11")
def the_command_is_not_changed(t):
    echo = "import sys; sys.stdout.write(sys.stdin.read()[::-1]); sys.exit(int(sys.argv[1]))"
    for status in (0, 3):
        out = t.dir / "profile"
        run = t.run([t.program, "sample", "-q", "-r", "1000", "-o", out, "--", *t.py("-c", echo, status)], stdin=b"abc")
        t.expect_equal((run.status, run.out), (status, b"cba"), f"what it says: {run}")
    run = t.run([t.program, "sample", "-o", t.dir / "p", "--", *t.py("-c", "import os; os.kill(os.getpid(), 15)")])
    t.expect_equal(run.status, 128 + signal.SIGTERM, "killed by a signal")
    run = t.run([t.program, "sample", "--", "does-not-exist-at-all"])
    t.expect(run.status == 127 and "command not found" in run.errors, "no such command", run)
    run = t.run([t.program, "sample", "--", "true"])
    t.expect("no Python" in run.errors, "no Python", run)


def links(pid):
    """What its descriptors are."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return found


@case(only="debian-3.11 pyenv-3.9")
def ends_when_asked(t):
    target = talk(t, "states.py")
    sampler = Talk(t, [t.program, "sample", "-p", target.pid, "-f", "folded", "-o", t.dir / "profile", "-r", "1000"],
                   traced=False)
    wait_for(t, "it samples", lambda: f"/proc/{target.pid}/mem" in links(sampler.pid))
    sampler.process.send_signal(signal.SIGINT)
    run = sampler.end(leave=True)
    t.expect_equal(run.status, 0, f"after SIGINT: {run}")
    t.expect((t.dir / "profile").exists(), "the profile is there")
    end(target)


@few
def lines_in_the_data_file(t):
    data = t.dir / "data"
    target = talk(t, "states.py")
    text = (HERE / "states.py").read_text().splitlines()
    line = next(n for n, code in enumerate(text, 1) if code.endswith("# SPINS"))

    def sampled(*options):
        """{line: samples} in the data file, once the line that spins is among them."""
        run = t.run([t.program, "sample", "-p", target.pid, "-r", "500", "-d", "1", "--data-file", data, *options], leave=True)
        t.expect_equal(run.status, 0, f"status: {run}")
        db = sqlite3.connect(data)
        rows = db.execute("select path, context, numbits from line_bits join file on file.id = file_id "
                          "join context on context.id = context_id").fetchall()
        samples = dict(db.execute("select line, samples from pycov_trace_samples").fetchall())
        db.close()
        t.expect({(path, context) for path, context, _ in rows} <= {(str(HERE / "states.py"), "sampled")}, "files", rows)
        t.expect(len(rows) <= 1 and all(set(samples) <= lines_of(numbits) for _, _, numbits in rows), "lines", rows, samples)
        return samples if {line, line - 1} & set(samples) else None

    before = sum(wait_for(t, "samples of the line that spins", sampled).values())
    wait_for(t, "more of them", lambda: sum(sampled("--append").values()) > before)
    end(target, clean=False)


@few
def which_files_are_wanted(t):
    """As for recorded lines: by options and settings, in place of what is left out by default."""
    target = talk(t, "states.py")
    data = t.dir / "data"

    def files(*options, idle=True):
        data.unlink(missing_ok=True)
        run = t.run([t.program, "sample", "-q", "-p", target.pid, "-r", "500", "-d", "0.1", "--data-file", data,
                     *(["--idle"] if idle else []), *options], leave=True)
        t.expect_equal(run.status, 0, f"status: {run}")
        db = sqlite3.connect(data)
        try:
            return {os.path.basename(path) for path, in db.execute("select path from file")}
        finally:
            db.close()

    wait_for(t, "by default", lambda: files() == {"states.py"})
    wait_for(t, "with the library", lambda: {"states.py", "threading.py"} <= files("--pylib"))
    wait_for(t, "the library alone", lambda: files("--pylib", "--omit=*/states.py") == {"threading.py"})
    wait_for(t, "a source", lambda: files(f"--source={HERE}") >= {"states.py"})
    t.expect_equal(files(f"--include={t.dir}/*"), set(), "none that match")
    t.write(".coveragerc", "[run]\nomit = */states.py\n")
    t.expect_equal(files(), set(), "settings")
    wait_for(t, "without settings", lambda: files("--rcfile=") == {"states.py"})
    end(target, clean=False)
    run = t.run([t.program, "sample", "--omit=x", "--", "true"])
    t.expect(run.status == 2 and "--data-file" in run.errors, "without a data file", run)


@case(only=None if FULL else "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.14")
def compiled_code_between(t):
    """sorted() stands between the function that calls it and the function that it calls."""
    target = talk(t, "native.py")
    out = t.dir / "profile"

    def sampled():
        run = t.run([t.program, "sample", "-q", "--native", "-f", "folded", "-o", out, "-p", target.pid, "-r", "50", "-d",
                     "1"], leave=True)
        t.expect_equal(run.status, 0, f"status: {run}")
        text = out.read_text()
        t.expect(not re.search(r";key \(.*;work \(", text), "the order of Python's own frames", text)
        return re.search(r";work \(.*;[^;]*sort[^;]*\(.*;key \(", text)

    wait_for(t, "compiled code between", sampled)
    end(target)
