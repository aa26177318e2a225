"""`pycov-trace dump` and `sample` where the exact mode does not come: beside a tracer, behind filters, in other programs."""

import json
import os
import shutil

from cases.attach_refusals import BEHIND, SECCOMP
from cases.embed import build, library
from cases.sample_dump import HERE, expect_stacks
from cases.sample_run import sample
from harness import case
from processes import Talk, wait_for

FEW = "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15"
STACKS = HERE / "stacks.py"


def expect_and_end(t, target):
    expect_stacks(t, target.pid, json.loads(target.line()))
    wait_for(t, "samples as well", lambda: sample(t, "--idle", "-p", target.pid, "-d", "0.2", leave=True)[0])
    target.process.kill()
    target.end()


@case(only=FEW)
def beside_a_tracer(t):
    """Which is us: the target is recorded exactly."""
    target = Talk(t, t.py(STACKS))
    expected = json.loads(target.line())
    t.expect(target.tracer, "it is traced")
    expect_stacks(t, target.pid, expected)
    for option in ("--blocking", "--native"):
        run = t.run([t.program, "sample", option, "-p", target.pid, "-d", "1"], leave=True)
        t.expect(run.status == 1 and "is traced already" in run.errors and "but for --blocking" in run.errors, option, run)
    target.process.kill()
    target.end()


@case(only="debian-3.11 sid-3.15")
def behind_a_filter(t):
    """A seccomp filter that forbids what recording needs."""
    behind = ["/usr/bin/python3.11", t.write("behind.py", SECCOMP + BEHIND)]
    expect_and_end(t, Talk(t, [*behind, *t.py(STACKS)], traced=False))


@case(only="pyenv-3.8 pyenv-3.10 pyenv-3.11 pyenv-3.13")
def in_a_program_in_c(t):
    """One that is linked to libpython, and one that opens it later; the file of either is gone by then."""
    for linked in (True, False):
        if library(t):
            program, *rest = build(t, linked)
            target = Talk(t, [program, *rest, "run_file", STACKS], traced=False)
            expected = target.line()
            os.unlink(program)
            expect_stacks(t, target.pid, json.loads(expected))
            target.process.kill()
            target.end()


@case(only="pyenv-3.8 debian-3.11 pyenv-3.12")
def without_its_symbols(t):
    """Stripped of all that is not needed to run."""
    copy = t.dir / "prefix"
    (copy / "bin").mkdir(parents=True)
    (copy / "lib").mkdir()
    exe = copy / "bin" / "python"
    shutil.copy(t.python.exe, exe)
    files = [exe]
    if t.python.kind == "shared":
        files.append(copy / "lib" / library(t).name)
        shutil.copy(library(t), files[1])
    for file in files:
        t.expect_equal(t.run(["strip", "--strip-all", file]).status, 0, "strip")
    env = dict(t.env, LD_LIBRARY_PATH=str(copy / "lib"), PYTHONHOME=str(os.path.dirname(os.path.dirname(t.python.exe))))
    expect_and_end(t, Talk(t, [exe, STACKS], traced=False, env=env))
