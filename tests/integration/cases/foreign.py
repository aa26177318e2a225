"""Programs that are no Python, and Pythons that cannot be measured: unharmed, and one line says what was not measured."""

import os
import re
import shutil
from pathlib import Path

import harness
from harness import FULL, LIMIT, Skip, case

ONCE = "debian-3.11"


def unharmed(t, argv, reason, **how):
    """The same as plain, and one line on stderr that matches @reason."""
    plain, traced = t.run(argv, **how), t.trace(argv, **how)
    ours = re.findall(rb"(?m)^pycov-trace: .*\n", traced.err)
    traced.err = re.sub(rb"(?m)^pycov-trace: .*\n", b"", traced.err)
    t.expect_same(plain, traced)
    t.expect(len(ours) == 1, f"{len(ours)} lines of ours instead of one: {ours}", traced)
    t.expect(re.search(reason, ours[0].decode()), f"{reason} is not in {ours[0]}")
    t.expect_equal({n for lines in (traced.data or {}).values() for n in lines}, set(), "lines")
    return traced


@case(only=ONCE)
def no_python(t):
    for argv in (["true"], ["false"], ["ls", "/"], ["sh", "-c", "echo a; echo b >&2; exit 3"], ["env", "-i", "true"],
                 ["sh", "-c", "kill -9 $$"], ["sh", "-c", "seq 100 | xargs -n 1 true"],
                 ["sh", "-c", "for i in 1 2 3 4 5; do (exit $i) & done; wait; echo $?"], ["cat", "/etc/passwd"]):
        unharmed(t, argv, "no Python")


@case(only=ONCE)
def quiet(t):
    run = t.trace(["true"], ["-q"])
    t.expect_equal((run.status, run.err), (0, b""), "with -q")


def pyenv(version):
    root = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    found = sorted(Path(root, "versions").glob(f"{version}.*/bin/python{version}"))
    if not found:
        raise Skip(f"optional: no Python {version} in {root}/versions")
    return str(found[-1])


def old(t, version):
    path = t.write("app.py", "import sys\nsys.stdout.write('%d\\n' % len(sys.argv))\nsys.exit(4)\n")
    for args in ([path, "a"], ["-c", "print(1)"], ["-E", "-S", path]):
        unharmed(t, [pyenv(version), *args], rf"not measured.*(Python {version[0] if version < '3' else version})|"
                                             rf"Python {version[0] if version < '3' else version}.*not")
    # exec'd by a supported one, and the other way round
    outer = t.write("outer.py", f"import os\nx = 1  # hit\nos.execv({pyenv(version)!r}, ['python', {path!r}])  # hit\n")
    traced = t.trace(t.py(outer))
    t.expect_equal(traced.status, 4, "status")
    t.expect_marks(traced, outer)
    inner = t.write("inner.py", "x = 1  # hit\n")
    both = t.write("both.py", f"import os\nos.execv({t.python.command!r}, ['python', {inner!r}])\n")
    t.expect_marks(t.trace([pyenv(version), both]), inner)


@case(only=ONCE)
def python_2_7(t):
    old(t, "2.7")


@case(only=ONCE)
def python_3_6(t):
    old(t, "3.6")


@case(only=ONCE)
def python_3_7(t):
    old(t, "3.7")


@case(only=ONCE)
def pypy(t):
    command = shutil.which("pypy3", path=t.env["PATH"])
    if not command:
        raise Skip("optional: no pypy3")
    path = t.write("app.py", "import sys\nprint(sys.argv)\nsys.exit(4)\n")
    unharmed(t, [command, path], "PyPy", limit=2 * LIMIT)


@case(only=ONCE)
def python_of_32_bits(t):
    """By its own loader, and as the program that it is."""
    root = harness.cache_path() / "roots" / "i386"
    python = "/usr/bin/python3.11"
    if not (root / python[1:]).exists():
        raise Skip("no Python of 32 bits: tests/pythons")
    path = t.write("app.py", "import sys\nprint(sys.maxsize, sys.argv[1:])\nsys.exit(4)\n")
    folders = [root / "lib/i386-linux-gnu", root / "usr/lib/i386-linux-gnu"]
    loader = [root / "lib/ld-linux.so.2", "--library-path", ":".join(map(str, folders)), f"{root}{python}"]
    said = b"%d ['a']\n" % (2**31 - 1)
    run = unharmed(t, [*loader, "-S", path, "a"], "32.bit|no Python", env=dict(t.env, PYTHONHOME=str(root / "usr")))
    t.expect_equal((run.status, run.out), (4, said), "end")
    if t.run(["chroot", root, python, "-c", ""]).status:
        raise Skip("optional: only root can chroot")
    script = ["-c", "import sys; print(sys.maxsize, sys.argv[1:]); sys.exit(4)", "a"]
    run = unharmed(t, ["chroot", root, python, *script], "not measured.*32.bit")
    t.expect_equal((run.status, run.out), (4, said), "end in its own root")


def unoptimised(t, version):
    python = harness.cache_path() / "builds" / f"{version}-O0" / "python"
    if not python.exists():
        raise Skip(f"{'optional: ' if version == '3.9' else ''}no Python {version} built with -O0: tests/pythons")
    return str(python)


MARKED = """\
import sys  # hit
def f(x):  # hit
    if x:  # hit
        return 1  # hit
    return 2  # miss
print(f(1))  # hit
sys.exit(4)  # hit
"""


@case(only=ONCE if FULL else "none")
def built_with_o0(t):
    """Where the interpreter keeps its state in memory, traps cannot work; sys.monitoring can."""
    path = t.write("app.py", MARKED)
    for version in ("3.9", "3.11"):
        run = unharmed(t, [unoptimised(t, version), path], r"is not measured: .*(-O0|no switch of a known form)")
        t.expect_equal((run.status, run.out), (4, b"1\n"), "end")
    run = t.both([unoptimised(t, "3.13"), path])
    t.expect_equal((run.status, run.out), (4, b"1\n"), "end")
    t.expect_marks(run, path)


@case(only=ONCE)
def static_program(t):
    source = t.write("static.c", "int main(void) { return 9; }\n")
    made = t.run(["gcc", "-static", "-o", "static", source])
    if made.status:
        raise Skip("gcc -static does not work")
    unharmed(t, ["./static"], "no Python")


@case(only=ONCE)
def damaged_programs(t):
    """What the kernel refuses, and what it runs though it looks strange."""
    script = t.write("no-interpreter", "#!/no/such/python\nx = 1\n", 0o755)
    run = t.trace([script])
    t.expect_equal(run.status, 127, "status of a script without an interpreter")
    short = t.write("short", b"\x7fELF", 0o755)
    run = t.trace([short])
    t.expect(run.status in (126, 127), "status of a file that is no program", run)
    plain = t.write("plain", "exit 5\n", 0o755)
    t.expect(t.trace([plain]).status in (5, 126), "status of a script without #!")


@case(only="pyenv-3.11 sid-3.14")
def python_below_others(t):
    """A tree of programs: those that are Python are measured, and nothing is said of the rest."""
    path = t.write("app.py", "import sys\nprint(sys.argv[1:])  # hit\n")
    makefile = t.write("Makefile", f"all: a b\na b:\n\t@{t.python.command} {path} $@\n")
    if shutil.which("make", path=t.env["PATH"]):
        run = t.both(["make", "-f", makefile, "-s"])
        t.expect_marks(run, path)
    run = t.both(["sh", "-c", f"echo x y | xargs -n 1 {t.python.command} {path}; timeout 600 {t.python.command} {path}"])
    t.expect_marks(run, path)
