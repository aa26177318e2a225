"""Every way to start a process below the command: it is measured, exactly."""

import os

import harness
from harness import FULL, LIMIT, Skip, case
from processes import HERE, compile_c, expect_children, expect_exact, recorded, row, target, without_ours

CHILD = """\
import sys  # hit

def f(x):  # hit
    if x:  # hit
        return "ran"  # hit
    return "never"  # miss

sys.stdout.write(" ".join([f(1)] + sys.argv[1:]) + "\\n")  # hit
"""


@row()
def subprocess_ways(t):
    target(t, "start_subprocess", number=19)


@row()
def os_ways(t):
    target(t, "start_os", number=2 + 8 + 16 + 1 + 1)


@row()
def multiprocessing_fork(t):
    target(t, "start_multiprocessing", "fork")


@row()
def multiprocessing_spawn(t):
    target(t, "start_multiprocessing", "spawn")


@row()
def multiprocessing_forkserver(t):
    target(t, "start_multiprocessing", "forkserver")


INTERPRETERS = """\
def called():  # hit
    return 1  # hit


def imported():  # hit
    print("imported", flush=True)  # hit


def in_thread():  # hit
    x = 1  # hit


def mapped(x):  # hit
    return x * x  # hit


def never():  # hit
    return 1  # miss
"""


@row(only="sid-3.14 sid-3.15", since="3.14")
def interpreters(t):
    path = t.write("in_interpreters.py", INTERPRETERS)
    expect_exact(t, target(t, "start_interpreters"), path)


@row()
def asyncio_ways(t):
    target(t, "start_asyncio", number=6)


def child(t, name):
    return t.write(f"child_{name}.py", CHILD)


@row()
def by_other_programs(t):
    """sh, env, make, xargs, nohup, setsid, timeout, a script with a shebang."""
    python = t.python.command
    names = "sh subshell pipe background env env_i make xargs nohup setsid timeout nice find".split()
    for name in names:
        child(t, name)
    t.write("child_shebang.py", f"#!{python}\n{CHILD}", 0o755)
    t.write("Makefile", f"all: made\nmade:\n\t@{python} child_make.py $@\n")
    t.write("all.sh", f"""
        {python} child_sh.py a
        ({python} child_subshell.py b; true)
        echo | {python} child_pipe.py c | cat
        {python} child_background.py d & wait $!
        env A=1 {python} child_env.py e
        env -i {python} child_env_i.py f
        make -s
        echo g h | xargs -n 1 -P 2 {python} child_xargs.py | sort
        nohup {python} child_nohup.py i 2>&1
        setsid -w {python} child_setsid.py j
        timeout 600 {python} child_timeout.py k
        nice -n 1 {python} child_nice.py l
        find . -name Makefile -exec {python} child_find.py {{}} \\;
        ./child_shebang.py m
        exec sh -c 'exit 3'
        """)
    run = t.both(["sh", "all.sh"])
    t.expect(run.status == 3 and run.text.count("ran") == len(names) + 2, "the shell", run)
    expect_children(t, run, len(names) + 1)


@row()
def by_a_launcher(t):
    """A C program, by every system call that starts a process."""
    compile_c(t, "launch.c")
    ways = "exec fork vfork spawn clone-vm clone-files clone-silent clone-usr1".split()
    text = "".join(f"./launch_c {way} {t.python.command} {child(t, way)} {way}\n" for way in ways)
    t.write("all.sh", text + "true\n")
    run = t.both(["sh", "all.sh"])
    t.expect(run.text.count("ran") == len(ways), "the launcher", run)
    expect_children(t, run, len(ways))


@row()
def untraced(t):
    """CLONE_UNTRACED keeps us out, by its very sense: the child runs as it would, and its parent is measured."""
    compile_c(t, "launch.c")
    path = child(t, "untraced")
    command = ["./launch_c", "clone-untraced", *t.py(path)]
    plain, run = t.run(command), t.trace(command)
    run.err = without_ours(run.err)
    t.expect_same(plain, run)
    t.expect(run.status == 0 and "ran" in run.text, "the child", run)


@row()
def odd_clones(t):
    library = compile_c(t, "odd.c", "-shared", "-fPIC")
    path = str(HERE / "start_odd.py")
    run = t.both(t.py(path, t.dir, library))
    t.expect(run.status == 0, "the target failed", run)
    t.expect_marks(run, path)
    expect_exact(t, run, t.dir / "child_files.py")


@row(only="debian-3.11 sid-3.15")
def many(t):
    """One after another, at once, deep; threads that fork while others run."""
    counts = (1000, 20, 100, 20) if FULL else (100, 10, 20, 20)
    target(t, "start_many", *counts, env=dict(t.env, PYTHONWARNINGS="ignore"), number=1 + counts[1] + counts[2], limit=15 * LIMIT if FULL else LIMIT)


@row(only="pyenv-3.8 pyenv-3.12")
def a_hundred_at_once(t):
    counts = (20, 0, 100 if FULL else 30, 3)
    target(t, "start_many", *counts, env=dict(t.env, PYTHONWARNINGS="ignore"), number=1 + counts[2], limit=15 * LIMIT if FULL else LIMIT)


DEEP = """\
import subprocess, sys  # hit
n = int(sys.argv[1])  # hit
status = 0  # hit
if n:  # hit
    status = subprocess.call([sys.executable, "child_%02d.py" % (n - 1), str(n - 1)])  # @
print(n, flush=True)  # hit
sys.exit(status + 1)  # hit
"""


@row()
def deep_tree(t):
    """Each is a script of its own that starts the next."""
    for n in range(20):
        t.write(f"child_{n:02}.py", DEEP.replace("@", "hit" if n else "miss"))
    run = t.both(t.py("child_19.py", 19))
    t.expect_equal(run.status, 20, "status")
    expect_children(t, run, 20)


DAEMON = """\
import os, sys
def daemon(fifo):
    with open(fifo) as f:  # hit
        f.read()
    x = 1  # hit
    os._exit(0)  # hit
if os.fork() == 0:  # hit
    os.setsid()  # hit
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    daemon(sys.argv[1])
os.wait()
print("started")  # hit
"""


@row()
def daemon(t):
    """It outlives the command: its data is added when it ends."""
    path = t.write("app.py", DAEMON)
    fifo = t.dir / "fifo"
    os.mkfifo(fifo)
    run = t.trace(t.py(path, fifo), leave=True)
    t.expect(run.status == 0 and run.out == b"started\n", "the command", run)
    number = [i for i, line in enumerate(DAEMON.splitlines(), 1) if line.startswith(("    x = 1", "    os._exit(0)"))]
    got = run.data[path]
    t.expect(not got & set(number), "the daemon has not ended yet, but its end is recorded")
    t.expect({1, 2, 7, 15, 16} <= got, "what ran before is not there when the command has ended", got)
    os.close(os.open(fifo, os.O_WRONLY))
    t.expect_nobody_left()
    t.expect_marks(recorded(t), path)


@row(only="debian-3.11")
def several_versions(t):
    """One tree, one file."""
    pythons = harness.load_pythons()
    lines = [f"{p.command} {child(t, p.name)} {p.name} $n || exit 1" for p in pythons]
    t.write("all.sh", "for n in 1 2; do\n" + "\n".join(lines) + "\ndone\n")
    run = t.both(["sh", "all.sh"], limit=2 * LIMIT)
    t.expect(run.status == 0, "the shell", run)
    expect_children(t, run, len(pythons))
    near = [p for p in pythons if not p.root]
    # From each to the next, and to the first again, which may be the only one.
    chain = [a for p in near + near[:1] for a in (p.command, str(t.dir / "chain.py"))]
    chained = t.write("chain.py", "import subprocess, sys  # hit\nrest = sys.argv[1:]  # hit\n"
                      "print(sys.version_info[:2], flush=True)  # hit\nif rest:  # hit\n    sys.exit(subprocess.call(rest))  # hit\n")
    expect_exact(t, t.both(chain), chained)


def can(t, *argv):
    return t.run([*argv, "true"]).status == 0


@row()
def other_namespaces(t):
    """A child that sees another tree of processes, other mounts, another root."""
    ways = {"pid": ["unshare", "-m", "-p", "-f"], "net": ["unshare", "-n", "-i", "-u"], "user": ["unshare", "-U", "-r"],
            "chroot": ["chroot", "/"]}
    ways = {name: argv for name, argv in ways.items() if can(t, *argv)}
    if "pid" not in ways:
        raise Skip("optional: unshare and chroot need rights")
    for name, argv in ways.items():
        run = t.both([*argv, *t.py(child(t, name), name)])
        t.expect(run.status == 0, "it failed", run)
        expect_exact(t, run, t.dir / f"child_{name}.py")


@case(only="debian-3.11")
def within_another_root(t):
    """From a Python of this system to one that lives in a root of its own, and whose paths are its own."""
    inner = next((p for p in harness.load_pythons() if p.root), None)
    if not inner:
        raise Skip("optional: no interpreter in another root")
    path = child(t, "inside")
    outer = t.write("outer.py", f"import os, subprocess  # hit\ndef enter():  # hit\n    os.chroot({inner.root!r})  # hit\n"
                    f"    os.chdir('/')  # hit\n"
                    f"print(subprocess.call([{inner.exe!r}, {path!r}], preexec_fn=enter), flush=True)  # hit\n")
    run = t.both(t.py(outer))
    t.expect(run.text == "ran\n0\n", "the child", run)
    expect_exact(t, run, outer)
    expect_exact(t, run, path)
