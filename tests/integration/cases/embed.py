"""C programs that embed Python: linked to it, or opening it after they have started."""

from pathlib import Path

from harness import TARGETS, Skip, case

MODES = ("exec_code_module", "eval_code", "run_simple_string", "run_string", "run_file")
SCRIPT = "import sys\ndef f(x):\n    if x:\n        return 1  # hit\n    return 2  # miss\nprint(f(1))  # hit\n"


def library(t):
    if t.python.kind != "shared" or t.python.root:
        return None
    major = ".".join(map(str, t.python.version))
    path = Path(t.python.exe).parent.parent / "lib" / f"libpython{major}.so.1.0"
    return path if path.exists() else None


def build(t, linked):
    path = library(t)
    program = t.dir / ("linked" if linked else "opening")
    flags = [f"-L{path.parent}", f"-Wl,-rpath,{path.parent}", "-Wl,--no-as-needed",
             f"-lpython{'.'.join(map(str, t.python.version))}"] if linked else []
    made = t.run(["gcc", "-O1", "-w", "-rdynamic", "-o", program, TARGETS / "embed.c", *flags, "-ldl", "-lpthread"])
    if made.status:
        raise Skip(f"embed.c cannot be built: {made.errors[-200:]}")
    t.env["PYTHONHOME"] = str(path.parent.parent)
    return [str(program), "-" if linked else str(path)]


def measured(t, argv, *paths):
    run = t.both(argv)
    t.expect(run.status == 3 and run.text.endswith("embedded\n"), "it failed", run)
    for path in paths:
        t.expect_marks(run, path)


def doors(t, linked):
    if not library(t):
        return
    program, path, other = build(t, linked), t.write("script.py", SCRIPT), t.write("other.py", "x = 2\n" + SCRIPT)
    for mode in MODES:
        measured(t, [*program, mode, path], path)
    measured(t, [*program, "eval_code", path, "thread"], path)
    measured(t, [*program, "exec_code_module", path, "thread"], path)
    for mode in ("eval_code", "run_file"):
        measured(t, [*program, mode, path, "again", other], path, other)


@case()
def linked(t):
    doors(t, True)


@case()
def opened_later(t):
    doors(t, False)


@case()
def linked_and_never_used(t):
    """It has libpython, and runs no Python: nothing happens to it."""
    if not library(t):
        return
    program = build(t, True)
    plain, traced = t.run(program), t.trace(program)
    t.expect_equal((traced.status, traced.out), (plain.status, plain.out), "end")
