"""What programs see of each other, of their signals and their descriptors is what they see without us."""

import os
import re
import resource
import shutil
import signal

import harness
from harness import FULL, Skip, case, read_data
from processes import HERE, TWO, expect_exact, row

SCRIPT = "import sys  # hit\nx = 1  # hit\nprint(sys.argv[1:], flush=True)  # hit\nsys.exit(5)  # hit\nx = 2  # miss\n"


@row()
def to_programs(t):
    path = str(HERE / "unnoticed.py")
    run = t.both(t.py("-W", "ignore", path))
    t.expect_equal(run.status, 0, f"status: {run}")
    t.expect_marks(run, path)


CORE = """\
import os, resource, signal, sys  # hit
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # hit
def f():  # hit
    return 1  # hit
f()  # hit
os.abort()  # hit
"""


@row()
def core_dumps(t):
    """Dumped as ever, and not much larger."""
    with open("/proc/sys/kernel/core_pattern") as f:
        pattern = f.read().strip()
    if pattern.startswith(("|", "/")) or resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        raise Skip(f"optional: core dumps go elsewhere: {pattern}")
    path = t.write("app.py", CORE)

    def core():
        found = [p for p in t.dir.iterdir() if p.name.startswith(pattern.split("%")[0].split(".")[0])]
        t.expect_equal(len(found), 1, "core dumps")
        size = found[0].stat().st_size, 512 * found[0].stat().st_blocks
        found[0].unlink()
        return size

    plain = t.run(t.py(path))
    t.expect_equal(plain.status, -signal.SIGABRT, "status")
    without = core()
    run = t.trace(t.py(path))
    t.expect_same(plain, run)
    expect_exact(t, run, path)
    size, disk = core()
    t.expect(size < without[0] + (32 << 20) and disk < without[1] + (16 << 20), f"a core of {size} bytes, {disk} on "
             f"the disk, instead of {without}")


@row()
def inside_itself(t):
    """The inner pycov-trace says who measures already, and runs its command, which the outer one measures."""
    script = t.write("script.py", SCRIPT)
    inner = [t.program, "--data-file", t.dir / "inner", "--", *t.py(script, "a")]
    run = t.trace(inner)
    t.expect_equal((run.status, run.out), (5, b"['a']\n"), "end")
    t.expect(re.fullmatch(r"pycov-trace: warning: not measured: pid \d+ traces it already: .*\n", run.errors),
             "it does not say who", run)
    expect_exact(t, run, script)
    t.expect(not (t.dir / "inner").exists(), "the inner one wrote a file")
    run = t.trace(["sh", "-c", '"$@"; echo $?', "sh", *inner])
    t.expect_equal((run.status, run.out), (0, b"['a']\n5\n"), "end in a shell")
    expect_exact(t, run, script)


BESIDE = """\
import os, subprocess, sys  # hit
def f(x):  # hit
    if x:  # hit
        return 1  # hit
    return 2  # miss
print(f(1), flush=True)  # hit
if len(sys.argv) > 1:  # hit
    sys.exit(subprocess.call([sys.executable, sys.argv[1]]))  # hit
x = 1  # miss
"""


@row()
def coverage_beside_us(t):
    """coverage.py, started by COVERAGE_PROCESS_START in every process, writes what it writes without us."""
    if t.python.coverage == "-":
        raise Skip(f"optional: no coverage.py for {t.python.name}")
    outer, inner = t.write("outer.py", BESIDE), t.write("inner.py", BESIDE.replace("# miss", "#").replace("# hit", "#"))
    t.write("site/cov.pth", "import coverage; coverage.process_startup()\n")
    t.write("site/sitecustomize.py", "import site\nsite.addsitedir(__file__.rpartition('/')[0])\n")
    t.write("rc", f"[run]\nparallel = true\ndata_file = {t.dir}/theirs/data\n")
    env = dict(t.env, PYTHONPATH=f"{t.dir}/site:{t.python.coverage}", COVERAGE_PROCESS_START=str(t.dir / "rc"))
    cores = ["ctrace"] + ["sysmon"] * (t.version >= (3, 14) or FULL and t.python.monitors)
    for core in cores:
        found = []
        for run_it in (t.run, t.trace):
            (t.dir / "theirs").mkdir()
            run = run_it(t.py(outer, inner), env=dict(env, COVERAGE_CORE=core))
            t.expect_equal((run.status, run.text), (0, "1\n1\n"), f"end with {core}: {run}")
            lines = {}
            for path in (t.dir / "theirs").iterdir():
                for name, some in read_data(path).items():
                    lines.setdefault(name, set()).update(some)
                path.unlink()
            (t.dir / "theirs").rmdir()
            found.append({name: lines.get(name, set()) for name in (outer, inner)})
        t.expect(found[0][outer] and found[0][inner], "coverage.py itself measured nothing", found)
        t.expect_equal(found[1], found[0], f"what coverage.py ({core}) writes")
        t.expect_marks(run, outer)
        t.expect_lines(run, inner, {1, 2, 3, 4, 6, 7, 9})


@row()
def coverage_in_the_same_file(t):
    """Two writers of one data file: it is said, and the file is ours, whole; with --append it is both's."""
    if t.python.coverage == "-":
        raise Skip(f"optional: no coverage.py for {t.python.name}")
    script = t.write("script.py", SCRIPT)
    command = t.py("-m", "coverage", "run", f"--data-file={t.data_file}", script, "a")
    env = dict(t.env, PYTHONPATH=t.python.coverage)
    for options, said in (([], 1), (["--append"], 0), (["--parallel-mode"], 0)):
        run = t.trace(command, options, env=env)
        t.expect_equal((run.status, run.out), (5, b"['a']\n"), f"end: {run}")
        found = re.fullmatch(r"(pycov-trace: warning: \S*data was written by another program meanwhile, .*\n)?", run.errors)
        t.expect(found and bool(found[1]) == said, f"what is said with {options}", run)
        expect_exact(t, run, script)


@row()
def others_that_trace(t):
    """A tracer in the tree gets the kernel's error; the rest is measured."""
    script = t.write("script.py", SCRIPT)
    tracer = t.write("tracer.py", "import ctypes, os  # hit\nlibc = ctypes.CDLL(None, use_errno=True)  # hit\n"
                     "print(libc.ptrace(0, 0, 0, 0), ctypes.get_errno(), flush=True)  # hit\n"
                     f"os.execv({t.python.exe!r}, ['python', {script!r}, 'x'])  # hit\n")
    run = t.trace(t.inside(t.python.exe, tracer))
    t.expect_equal((run.status, run.out), (5, b"-1 1\n['x']\n"), "end")
    expect_exact(t, run, tracer)
    expect_exact(t, run, script)


@row()
def to_a_shell(t):
    """Jobs, traps, pipes and statuses of a shell, with Python on either side."""
    script = t.write("script.py", SCRIPT)
    python = t.python.command
    run = t.both(["bash", "-c", f"""
        exec 2>/dev/null; set -m -o pipefail
        trap 'echo usr1' USR1; trap 'echo bye $?' EXIT
        {python} {script} a | cat; echo "${{PIPESTATUS[@]}}"
        {python} {script} b & wait -n; echo $?
        {python} -c 'import os; os.kill(os.getppid(), 10)'; echo $?
        x=$({python} {script} c); echo "$x" $?
        {python} -c 'import os, signal; os.kill(os.getpid(), signal.SIGSTOP); print("again")' & p=$!
        while ! jobs -s | grep -q .; do :; done; jobs | sed 's/ .*Stopped.*/ stopped/'; kill -CONT %%; wait $p; echo $?
        read x < <({python} {script} d); echo $x
        exit 3
        """])
    t.expect_equal(run.status, 3, "status")
    expect_exact(t, run, script)


REAPER = """\
import os, signal, sys  # hit
try:  # hit
    os.waitpid(-1, 0)  # hit
    print("there was a child")  # miss
except ChildProcessError:  # hit
    print("no child", flush=True)  # hit
if sys.argv[1:]:  # hit
    print(os.getpid(), flush=True)  # @
pid = os.fork()  # hit
if pid == 0:  # hit
    x = 1  # hit
    os._exit(4)  # hit
print(os.waitpid(-1, 0)[1], flush=True)  # hit
sys.exit(3)  # hit
"""


@row()
def to_a_reaper(t):
    """A command that orphans come back to waits for its own children only."""
    path = t.write("app.py", REAPER.replace("@", "miss"))
    become = "import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    for program, prefix in (("", ["/usr/bin/python3", "-c", become]), ("1", ["unshare", "-p", "-f", "--mount-proc"])):
        if program and t.run([*prefix, "true"]).status:
            raise Skip("optional: unshare needs rights")
        path = t.write("app.py", REAPER.replace("@", "hit" if program else "miss"))
        t.data_file.unlink(missing_ok=True)
        command = t.py(path, *program)
        plain, run = t.run([*prefix, *command]), t.run([*prefix, *t.traced(command)])
        t.expect_same(plain, run)
        t.expect_equal((run.status, run.text.splitlines()), (3, ["no child", *program, "1024"]), "end")
        run.data = read_data(t.data_file)
        expect_exact(t, run, path)


@row(only=TWO)
def to_a_command_whose_supervisor_dies(t):
    """Before it traces, or at any time: the command runs, and a line says that it is not measured."""
    script = t.write("script.py", SCRIPT)
    t.program = harness.KILL_AT
    run = t.trace(t.py(script, "a"), env=dict(t.env, KILL_AT="1"))
    t.expect_equal((run.status, run.out, run.err),
                   (5, b"['a']\n", b"pycov-trace: warning: not measured: the supervisor was killed as it began\n"), "end")


SET_UID = """#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	printf("%d %d\\n", getuid(), geteuid());
	fflush(stdout);
	if (argc > 1)
		execv(argv[1], argv + 1);
	return 6;
}
"""


@case(only="debian-3.11")
def to_set_uid_programs(t):
    """Each gets its owner's rights where root runs us; else it runs with the caller's, as under any tracer."""
    owner, caller = 65533, 65534
    if os.geteuid():
        raise Skip("optional: only root can make another's program")
    made = t.run(["gcc", "-o", "set_uid", t.write("set_uid.c", SET_UID)])
    if made.status:
        raise Skip("gcc does not work")
    if os.statvfs(t.dir).f_flag & os.ST_NOSUID:
        raise Skip(f"optional: {t.dir} is mounted nosuid")
    os.chown(t.dir / "set_uid", owner, owner)
    (t.dir / "set_uid").chmod(0o6755)
    t.dir.chmod(0o777)
    t.program = shutil.copy(t.program, t.dir / "pycov-trace")
    script = t.write("script.py", SCRIPT)
    command = ["sh", "-c", './set_uid; echo $?; ./set_uid "$@"; echo $?', "sh", *t.py(script, "a")]
    for user, options in ((0, {}), (caller, {"user": caller, "group": caller, "extra_groups": []})):
        plain, run = t.run(command, **options), t.trace(command, **options)
        said = f"{user} {owner}\n6\n{user} {owner}\n['a']\n5\n"
        t.expect_equal((plain.status, plain.text), (0, said), "plain")
        if user:
            said = said.replace(str(owner), str(user))
        t.expect_equal((run.status, run.text, run.err), (0, said, b""), f"traced by {user}")
        expect_exact(t, run, script)
