"""pycov-trace diff: two runs, and what ran of a change."""

import json

from harness import case

ONE = "pyenv-3.12"  # it depends on the data and the sources alone

APP = '''\
import sys


def one(a):
    b = a
    # a comment

    return b


def two(a):
    return [
        a,
        a + 1,
    ]


if "one" in sys.argv:
    one(1)
if "two" in sys.argv:
    two(2)
'''


def record(t, data, path, *args, options=()):
    run = t.run([t.program, f"--data-file={data}", *options, "--", *t.py(path, *args)])
    t.expect(run.status == 0, "a run", run)


def diff(t, *args, status=0, stdin=None, errors=False, **how):
    run = t.run([t.program, "diff", *args], stdin=stdin, **how)
    t.expect(run.status == status and bool(run.err) == errors, f"diff {args}: status {status}", run)
    return run.text


def git(t, *args):
    run = t.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", *args])
    t.expect(run.status == 0, f"git {args}", run)
    return run


@case(only=ONE)
def two_runs(t):
    path = t.write("app.py", APP)
    record(t, "a", path, "one")
    record(t, "b", path, "two")
    t.expect_equal(diff(t, "a", "b"), "app.py\n  only in a: 5-8, 19\n  only in b: 12-14, 21\n\n"
                   "1 file differs: 3 lines only in a, 4 only in b, 5 in both.\n", "text")
    got = json.loads(diff(t, "--json", "a", "b"))
    t.expect_equal(got["files"], {"app.py": {"only_a": [5, 8, 19], "only_b": [12, 13, 14, 21], "both": 5}}, "files")
    t.expect_equal(got["totals"], {"files": 1, "only_a": 3, "only_b": 4, "both": 5}, "totals")
    diff(t, "--exit-code", "a", "b", status=2)
    t.expect_equal(diff(t, "--exit-code", "a", "a"), "No differences: 8 lines in both.\n", "the same run")
    shown = diff(t, "--show-source", "a", "b")
    t.expect("  -     8      return b\n" in shown and "  +    12      return [\n" in shown, "sources", shown)
    t.expect("\033" not in shown, "no colours", shown)


@case(only=ONE)
def two_runs_of_other_files(t):
    """Files in one run alone; names that would move the cursor; patterns; sources that are gone."""
    first = t.write("first\033[2J\n.py", "x = 1\ny = 2\n")
    second = t.write("pkg/second.py", "x = 1\n")
    record(t, "a", first)
    record(t, "b", second)
    text = diff(t, "a", "b")
    t.expect("pkg/second.py\n  only in b: 1\n" in text and "first\\x1b[2J\\x0a.py\n  only in a: 1-2\n" in text, "both", text)
    t.expect_equal(sorted(json.loads(diff(t, "--json", "a", "b"))["files"]), ["first\033[2J\n.py", "pkg/second.py"], "names")
    t.expect_equal(diff(t, "--include=pkg/*", "a", "b").splitlines()[0], "pkg/second.py", "--include")
    t.expect_equal(diff(t, "--omit=*", "a", "b"), "No differences: 0 lines in both.\n", "--omit")
    (t.dir / "pkg/second.py").unlink()
    t.expect("cannot be read" in diff(t, "--show-source", "a", "b"), "a source that is gone")


@case(only=ONE)
def two_contexts(t):
    """Two requests, or whatever the contexts stand for, in one file."""
    path = t.write("app.py", APP)
    record(t, "a", path, "one", options=["--context=one"])
    record(t, "a", path, "two", options=["--context=two", "--append"])
    text = diff(t, "a", "a", "--contexts=one")
    t.expect_equal(text, "No differences: 8 lines in both.\n", "the same context")
    run = diff(t, "a", "a")
    t.expect_equal(run, "No differences: 12 lines in both.\n", "all contexts")


@case(only=ONE)
def bad_runs(t):
    path = t.write("app.py", APP)
    record(t, "a", path)
    t.write("junk", b"x" * 5000)
    for args, word in ((("a", "none"), "none"), (("a", "junk"), "junk"), (("a", "."), "."), (("a",), "two data files"),
                       ((), "two data files"), (("a", "a", "a"), "two data files"), (("--diff-base=a", "b", "c"), "one"),
                       (("--diff-base=a", "--diff-file=b"), "exclude"), (("--diff-base=--output=x",), "no revision"),
                       (("--diff-file=none",), "none"), (("--diff-file=junk",), "No data")):
        run = t.run([t.program, "diff", *args])
        t.expect(run.status == 1 and word in run.errors, f"diff {args}: an error with {word}", run)


# ---------------------------------------------------------------------------------------------------- a change

CHANGED = APP.replace("    b = a\n", "    b = (a +\n         0)\n").replace("        a + 1,\n", "        a + 2,\n") + "print(1)\n"


def repository(t, changed=CHANGED):
    git(t, "init", "-q")
    t.write("src/app.py", APP)
    t.write("src/other.py", "x = 1\n")
    t.write("notes.txt", "1\n")
    git(t, "add", "src", "notes.txt")
    git(t, "commit", "-qm", "first")
    path = t.write("src/app.py", changed)
    t.write("src/other.py", "x = 2\n")
    t.write("notes.txt", "2\n")
    record(t, ".coverage", path, "one")
    return path


@case(only=ONE)
def a_change(t):
    repository(t)
    text = diff(t, "--diff-base=HEAD")
    t.expect_equal(text.splitlines(), [
        "Name         Changed   Miss   Cover   Missing",
        "---------------------------------------------",
        "src/app.py         3      1     67%   13",
        "---------------------------------------------",
        "TOTAL              3      1     67%",
        "Not in the data: src/other.py"], "text")
    got = json.loads(diff(t, "--diff-base=HEAD", "--json"))
    t.expect_equal(got["files"]["src/app.py"]["changed_lines"], [5, 13, 23], "changed")
    t.expect_equal(got["files"]["src/app.py"]["missing_lines"], [13], "missing")
    t.expect_equal(got["not_in_the_data"], ["src/other.py"], "not in the data")
    t.expect_equal(got["totals"], {"changed_lines": 3, "missing_lines": 1, "percent_covered": 66.666667}, "totals")
    text = diff(t, "--diff-base=HEAD", "--fail-under=70", status=2)
    t.expect("total of 67 is less than fail-under=70" in text, "the judgement", text)
    diff(t, "--diff-base=HEAD", "--fail-under=66")
    t.expect("  !    13      return [\n" in diff(t, "--diff-base=HEAD", "--show-source"), "the source")
    # what is asked of the whole is not asked of a change
    t.write(".coveragerc", "[report]\nfail_under = 99\n")
    diff(t, "--diff-base=HEAD")
    # the same from a folder below, with settings of git's own that change what it writes
    for key, value in (("diff.noprefix", "true"), ("diff.relative", "true"), ("color.ui", "always"), ("diff.external", "true"),
                       ("diff.mnemonicPrefix", "true"), ("diff.interHunkContext", "9"), ("core.quotePath", "false")):
        git(t, "config", key, value)
    below = diff(t, "--diff-base=HEAD", "../.coverage", cwd=t.dir / "src")
    t.expect("\napp.py         3      1     67%   13\n" in below, "from below", below)


@case(only=ONE)
def a_patch(t):
    """The diff from a file or standard input, with context lines; names with blanks and quotes."""
    repository(t)
    patch = git(t, "diff").out
    t.write("change.patch", b"From: me\nSubject: [PATCH] a change\n\n---\n\n" + patch + b"-- \n2.39\n")
    expected = diff(t, "--diff-base=HEAD")
    t.expect_equal(diff(t, "--diff-file=change.patch"), expected, "from a file")
    t.expect_equal(diff(t, "--diff-file=-", stdin=patch), expected, "from standard input")
    t.expect_equal(diff(t, "--diff-file=-", stdin=patch, cwd=t.dir / "src", errors=True, status=1), "", "no data there")
    name = 'a "b"\t\u00e4\n.py'
    path = t.write(name, "x = 1\n")
    git(t, "add", "-N", name)
    record(t, ".coverage", path)
    got = json.loads(diff(t, "--diff-base=HEAD", "--json"))
    t.expect_equal(got["files"][name]["changed_lines"], [1], "a name that git quotes")


@case(only=ONE)
def nothing_changed(t):
    repository(t, APP)
    t.write("src/other.py", "x = 1\n")
    text = diff(t, "--diff-base=HEAD", "--fail-under=100")
    t.expect("TOTAL              0      0    100%" in text or "TOTAL         0      0    100%" in text, "no statement", text)
    # comments, deleted lines, excluded ones
    t.write("src/app.py", APP.replace("# a comment", "# another").replace("    # a comment\n", "")
            + "if 0:  # pragma: no cover\n    x = 1\n")
    text = diff(t, "--diff-base=HEAD", "--fail-under=100")
    t.expect(" 0      0    100%" in text, "nothing that counts", text)


@case(only=ONE)
def without_git(t):
    record(t, ".coverage", t.write("app.py", APP))
    run = t.run([t.program, "diff", "--diff-base=HEAD"], env=dict(t.env, GIT_CEILING_DIRECTORIES=str(t.dir.parent)))
    t.expect(run.status == 1 and "not a git repository" in run.errors, "no repository", run)
    run = t.run([t.program, "diff", "--diff-base=HEAD"], env=dict(t.env, PATH="/nonexistent"))
    t.expect(run.status == 1 and "git" in run.errors and "No such file" in run.errors, "no git", run)
    git(t, "init", "-q")
    run = t.run([t.program, "diff", "--diff-base=nothing"])
    t.expect(run.status == 1 and "git diff failed" in run.errors, "no such revision", run)
