"""`report`, `xml`, `json` and `lcov`, beside coverage.py's own."""

import json
import os
import pty
import re
import select
import sqlite3

from harness import LIMIT, Skip, case

NEWEST = "debian-3.11 sid-3.14"

SOURCE = '''"""A module."""
import sys
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import nothing


def covered(a,
            b=2):
    """What it does."""
    return [a,
            b]


def missed(x):
    if x:  # pragma: no cover
        return 1
    for i in x:
        x += f"{i:>{2}}"
    return x


class Some:
    name: int = 1

    def method(self): ...

    @property
    def value(self):
        with open("/dev/null") as f:
            return f.read()


match sys.argv:
    case []:
        sys.exit(1)
    case _:
        covered(1)
'''


def coverage(t, *args, **how):
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    env = {**t.env, "PYTHONPATH": t.python.coverage, **how.pop("env", {})}
    return t.run(t.py("-m", "coverage", *args), env=env, limit=3 * LIMIT, **how)


def ours(t, *args, **how):
    return t.run([t.program, *args], env={**t.env, **how.pop("env", {})}, **how)


def record(t, branch=False):
    """A data file of each program; the paths of both."""
    script = t.write("some.py", SOURCE)
    t.write("empty.py", "")
    t.write("main.py", "import empty, some\n")
    run = t.run([t.program, "--data-file=ours", "--source=.", "--", *t.py("main.py")])
    t.expect_equal(run.status, 0, f"recording: {run}")
    options = ["--branch"] if branch else []
    run = coverage(t, "run", "--data-file=theirs", "--source=.", *options, "main.py")
    t.expect_equal(run.status, 0, f"recording: {run}")
    return script


def expect_like_coverage(t, command, *options):
    for data in ("ours", "theirs"):
        a = ours(t, command, f"--data-file={data}", f"--python={t.python.command}", *options)
        b = coverage(t, command, f"--data-file={data}", *options)
        t.expect_equal((a.status, a.text), (b.status, b.text), f"{command} {' '.join(options)} of {data}: {a}")


@case(only=NEWEST)
def as_coverage_has_it(t):
    record(t)
    expect_like_coverage(t, "report", "-m", "--precision=1")
    expect_like_coverage(t, "report", "--format=markdown", "--skip-covered", "--skip-empty", "--sort=-miss")
    expect_like_coverage(t, "report", "--fail-under=99.5", "--format=total")
    expect_like_coverage(t, "lcov", "-o", "-")


@case(only=NEWEST)
def branches_as_coverage_has_them(t):
    record(t, branch=True)
    expect_like_coverage(t, "report", "-m")
    expect_like_coverage(t, "lcov", "-o", "-")
    a, b = (json.loads(run.out) for run in (ours(t, "json", "-o-", "--data-file=theirs", f"--python={t.python.command}"),
                                            coverage(t, "json", "-o-", "--data-file=theirs")))
    t.expect_equal((a["files"], a["totals"]), (b["files"], b["totals"]), "the JSON of branches")


@case(only=NEWEST)
def settings(t):
    """Those of the file hold, and give way to the command line."""
    record(t)
    t.write(".coveragerc", "[report]\nexclude_also =\n    def missed\nprecision = 2\nshow_missing = yes\nfail_under = 95\n"
                           "omit = main.py\n[json]\noutput = out/some.json\n")
    expect_like_coverage(t, "report")
    expect_like_coverage(t, "report", "--precision=0", "--fail-under=10", "--omit=empty.py")
    run = ours(t, "json", "--data-file=ours")
    t.expect((t.dir / "out/some.json").is_file(), "no file where the settings want it", run)


@case(only=NEWEST)
def parallel_files(t):
    """They count without being combined, under the names that [paths] gives them."""
    record(t)
    (t.dir / "ours").rename(t.dir / "part")
    t.write(".coveragerc", f"[paths]\nsource =\n    {t.dir}\n    */elsewhere\n")
    db = sqlite3.connect(t.dir / "part")
    db.execute("update file set path = replace(path, ?, '/far/elsewhere')", (str(t.dir),))
    db.commit()
    db.close()
    (t.dir / "part").rename(t.dir / "ours.host.1")
    t.write("ours.junk", "junk")
    run = ours(t, "report", "--data-file=ours")
    t.expect(run.status == 0 and "\nsome.py " in run.text and "ours.junk" in run.errors, "of parallel files", run)
    t.expect((t.dir / "ours.host.1").exists() and not (t.dir / "ours").exists(), "combined on the disk", run)


@case(only=NEWEST)
def without_sources(t):
    """The numbers are those of the lines with code; coverage.py's data has none, and it is an error."""
    script = record(t)
    before = ours(t, "report", "--data-file=ours", "--include=some.py", "--format=total")
    os.unlink(script)
    run = ours(t, "report", "--data-file=ours", "--include=some.py", "--format=total")
    t.expect_equal(run.status, 0, f"without its source: {run}")
    t.expect(before.status == 0 and float(run.text) > 0, "no numbers", run)
    run = ours(t, "report", "--data-file=theirs")
    t.expect(run.status == 1 and "No source for code: '" in run.errors and not run.out, "it is no error", run)
    run = ours(t, "report", "--data-file=theirs", "-i")
    t.expect(run.status == 0 and "main.py" in run.text and "some.py" not in run.text, "-i does not go on", run)


@case(only=NEWEST)
def what_is_no_data(t):
    record(t)
    t.write("nothing", "")
    t.write("junk", "no database " * 1000)
    t.write("cut", (t.dir / "ours").read_bytes()[:6000])
    t.write("folder/file", "")
    os.mkfifo(t.dir / "fifo")
    (t.dir / "coverage.xml").write_text("the one before")
    for name, why in (("nothing", "No data to report."), ("none", "No data to report."), ("junk", "not a database"),
                      ("cut", "malformed"), ("folder", "directory"), ("fifo", "not a regular file")):
        for command in ("report", "xml"):
            run = ours(t, command, f"--data-file={name}")
            t.expect(run.status == 1 and why in run.errors and not run.out and run.err.count(b"\n") == 1,
                     f"{command} of {name}", run)
    t.expect_equal((t.dir / "coverage.xml").read_text(), "the one before", "the report that was there")
    t.expect_equal([p.name for p in t.dir.glob("coverage.xml*")], ["coverage.xml"], "files left behind")


@case(only=NEWEST)
def wrong_words(t):
    record(t)
    for options, status, why in ((["--sort=size"], 1, "Invalid sorting option: 'size'"),
                                 (["--format=pdf"], 1, "Unknown report format choice: 'pdf'"),
                                 (["--fail-under=lots"], 1, "lots"), (["--no-such"], 1, "--no-such"),
                                 (["--include=a**b"], 1, "a**b"), (["--contexts=(x"], 1, "(x")):
        run = ours(t, "report", "--data-file=ours", *options)
        t.expect(run.status in (1, 2) and why in run.errors and not run.out, f"{options}", run)


@case(only=NEWEST)
def names_that_would_be_obeyed(t):
    """Control characters of names are not written to terminals, nor into XML and LCOV."""
    name = str(t.dir / "a\033]0;owned\007\n\"<&.py")
    t.write(os.path.basename(name), "x = 1\n")
    record(t)
    db = sqlite3.connect(t.dir / "ours")
    db.execute("update file set path = ? where path like '%main.py'", (name,))
    db.commit()
    db.close()
    for command, options in (("report", ["-m"]), ("xml", ["-o-"]), ("lcov", ["-o-"]), ("report", ["--format=markdown"])):
        run = ours(t, command, "--data-file=ours", *options)
        t.expect(run.status == 0 and b"\033" not in run.out and b"\007" not in run.out and b"a?]0;owned??" in
                 run.out.replace(b"\\", b""), command, run)


@case(only=NEWEST)
def colours(t):
    """On a terminal, unless NO_COLOR is set."""
    record(t)
    for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
        main, other = pty.openpty()
        run = t.run([t.program, "report", "--data-file=ours"], env={**t.env, **env}, preexec_fn=lambda: os.dup2(other, 1))
        os.close(other)
        out = b""
        while select.select([main], [], [], LIMIT)[0]:
            try:
                out += os.read(main, 4096)
            except OSError:
                break
        os.close(main)
        t.expect_equal((run.status, b"TOTAL" in out, b"\033[" in out), (0, True, coloured), f"the table with {env}")
    run = ours(t, "report", "--data-file=ours")
    t.expect(b"\033" not in run.out, "colours in a pipe", run)


def on_a_terminal(t, argv):
    """Status, and what a terminal that is standard error shows."""
    main, other = pty.openpty()
    run = t.run(argv, preexec_fn=lambda: os.dup2(other, 2))
    os.close(other)
    shown = b""
    while select.select([main], [], [], LIMIT)[0]:
        try:
            shown += os.read(main, 4096)
        except OSError:
            break
    os.close(main)
    return run.status, shown.decode()


@case(only=NEWEST)
def progress(t):
    """On a terminal, where it takes longer than a second: here the Python that compiles does."""
    record(t)
    slow = t.write("slow", f"#!/bin/sh\nsleep 1.5\nexec {t.python.command} \"$@\"\n")
    os.chmod(slow, 0o755)
    for command in ("report", "html", "xml", "json", "lcov"):
        argv = [t.program, command, "--data-file=theirs", f"--python={slow}"]
        status, shown = on_a_terminal(t, argv)
        t.expect(status == 0 and re.search(r"\r\d of \d files", shown) and shown.endswith("\r\033[K"), command, shown)
    t.expect_equal(on_a_terminal(t, [*argv, "-q"]), (0, ""), "-q")
    run = ours(t, "report", "--data-file=theirs", f"--python={slow}")
    t.expect_equal((run.status, run.errors), (0, ""), "no terminal")


@case(only=NEWEST)
def what_is_passed_over(t):
    """-i says what it passes over, by coverage.py's name for that, or does not."""
    record(t)
    os.unlink(t.dir / "empty.py")
    t.write("some.py", "a = (\n")
    names = [re.findall(r"Couldn't parse.*?/(\w+\.py)'.*\(couldnt-parse\)", run(t, "report", "--data-file=theirs", "-i").errors)
             for run in (ours, coverage)]
    t.expect(names[0] == names[1] and len(names[0]) == 2, "warnings", names)
    t.write(".coveragerc", "[run]\ndisable_warnings = couldnt-parse\n")
    t.expect_equal(ours(t, "report", "--data-file=theirs", "-i").errors, "", "no warnings")
