"""Where our reports are not coverage.py's: each row of known_differences_reports.tsv, as long as it holds."""

import json
import os
import zipfile

from cases.reports import coverage, ours
from harness import TESTS, case, _Difference

ONE = "debian-3.11"
LISTED = [line.split("\t")[0] for line in (TESTS / "known_differences_reports.tsv").read_text().splitlines()[1:]]


def difference(what):
    """As T.difference(), of the reports' list."""
    return _Difference(what, what in LISTED)


def trace(t, *argv, options=("--source=.",)):
    run = t.run([t.program, "--data-file=data", *options, "--", *t.py(*argv)])
    t.expect_equal(run.status, 0, f"recording: {run}")


def expect_same(t, *options, python=None):
    """The same report of the data file, and the same status."""
    a = ours(t, "report", "-m", "--data-file=data", f"--python={t.python.command if python is None else python}", *options)
    b = coverage(t, "report", "-m", "--data-file=data", *options)
    t.expect(a.status == 0 or b.status == 0, "neither makes a report", a, b)
    t.expect_equal((a.status, a.text), (b.status, b.text), f"reports: {a.errors}, {b.errors}")


@case(only=ONE)
def lines_are_guessed(t):
    t.write("app.py", "a = 1\n")
    t.write("never.py", "def f(x):\n    while 0 and x:\n        return 1\n    assert False\n    return 2\n")
    trace(t, "app.py")
    expect_same(t)
    with difference("guessed lines"):
        expect_same(t, python="")


@case(only=ONE)
def it_does_not_compile(t):
    script = t.write("app.py", "a = 1\n")
    trace(t, script)
    t.write("app.py", "return\n")
    with difference("not Python"):
        expect_same(t)


@case(only=ONE)
def another_way_of_compiling(t):
    trace(t, "-O", t.write("app.py", "a = 1\nif __debug__:\n    b = 1\nassert a\n"))
    with difference("the interpreter that ran"):
        expect_same(t)


@case(only=ONE)
def no_sources(t):
    trace(t, t.write("app.py", "a = 1\n"))
    os.unlink(t.dir / "app.py")
    with difference("sources that are gone"):
        expect_same(t)


@case(only=ONE)
def ends_of_lines(t):
    trace(t, t.write("app.py", "a = '''\x0b\x1c\u2028'''\nb = 1\n"))
    t.write(".coveragerc", "[lcov]\nline_checksums = true\n")
    a, b = (run(t, "lcov", "-o-", "--data-file=data") for run in (ours, coverage))
    t.expect("DA:1,1," in a.text and "DA:1,1," in b.text, "checksums", a, b)
    with difference("line ends"):
        t.expect_equal(a.text, b.text, "the same")


@case(only=ONE)
def expressions(t):
    trace(t, t.write("app.py", "a = 1\nb = 5\n"))
    t.write(".coveragerc", "[report]\nexclude_also =\n    [[:digit:]]\n    \\065\n")
    expect_same(t)
    t.write(".coveragerc", "[report]\nexclude_also =\n    (?<=b =|a) 5\n")
    with difference("regular expressions"):
        expect_same(t)


@case(only=ONE)
def where_messages_go(t):
    a, b = (run(t, "report", "--data-file=none") for run in (ours, coverage))
    t.expect(a.status == b.status == 1, "status", a, b)
    with difference("messages"):
        t.expect_equal((a.text, a.errors), (b.text, b.errors), "what is said, and where")


@case(only=ONE)
def an_archive(t):
    with zipfile.ZipFile(t.dir / "lib.zip", "w") as archive:
        archive.writestr("inside.py", "a = 1\n")
    t.write("app.py", "import sys\nsys.path.insert(0, 'lib.zip')\nimport inside\n")
    run = coverage(t, "run", "--data-file=data", "app.py")
    t.expect_equal(run.status, 0, f"recording: {run}")
    with difference("sources in archives"):
        expect_same(t)


@case(only=ONE)
def files_of_a_parallel_run(t):
    trace(t, t.write("app.py", "a = 1\n"))
    (t.dir / "data").rename(t.dir / "data.host.1")
    left = []
    for run in ours, coverage:  # the latter takes it away
        t.expect_equal(run(t, "report", "--data-file=data").status, 0, "report")
        left.append((t.dir / "data.host.1").exists())
    with difference("parallel data files"):
        t.expect_equal(*left, "what is left")


@case(only="pyenv-3.8")
def an_older_one(t):
    trace(t, t.write("app.py", "class A:\n    '''Text.'''\n    def f(self): ...\n"))
    with difference("older coverage.py"):
        a, b = (json.loads(run(t, "json", "-o-", "--data-file=data").out)["files"] for run in (ours, coverage))
        t.expect_equal(a, b, "what is said of files")
