"""Every way to start a Python: found, and measured exactly."""

import os
import zipfile
from pathlib import Path

from harness import LIMIT, Skip, case

APP = """import sys

def f(x):
    if x:
        return "yes"  # hit
    return "no"  # miss

print(f(1), len(sys.argv))  # hit
"""


def check(t, argv, path, text=APP, **how):
    run = t.both(argv, **how)
    t.expect(run.status == 0, "it failed", run)
    t.expect_marks(run, path, text)
    return run


@case()
def script(t):
    path = t.write("app.py", APP)
    t.expect_oracle(check(t, t.py(path, "an argument"), path), t.coverage(path))


@case()
def relative_script(t):
    path = t.write("sub/app.py", APP)
    t.expect_oracle(check(t, t.py("sub/app.py"), path), t.coverage("sub/app.py"))
    check(t, t.py("../sub/./app.py"), path, cwd=t.dir / "sub")


@case()
def symlinked_interpreter(t):
    path = t.write("app.py", APP)
    link = t.dir / "my-python"
    link.symlink_to(t.python.exe)
    env = dict(t.env, PYTHONHOME=home(t))
    check(t, t.inside(link, path), path, env=env)


def home(t):
    return str(Path(t.python.exe).parent.parent)


@case()
def symlinked_script(t):
    path = t.write("real/app.py", APP)
    (t.dir / "link.py").symlink_to(path)
    check(t, t.py(t.dir / "link.py"), path)


@case()
def venv(t):
    made = t.run(t.py("-m", "venv", "--without-pip", t.dir / "venv"), limit=2 * LIMIT)
    if made.status:
        raise Skip(f"no venv module: {made.errors[-100:]}")
    path = t.write("app.py", APP)
    third = next((t.dir / "venv" / "lib").glob("python3*")) / "site-packages" / "third.py"
    third.write_text("x = 1\n")
    importer = t.write("importer.py", "import third  # hit\nprint(third.x)  # hit\n")
    python = t.dir / "venv" / "bin" / "python"
    check(t, t.inside(python, path), path)
    run = check(t, t.inside(python, importer), importer, Path(importer).read_text())
    t.expect(str(third) not in run.data, "a third-party module of the venv was measured", sorted(run.data))


LINKS = """\
import os, sys
import plain
import linked
import package.module
os.symlink(sys.argv[1], os.path.join(os.path.dirname(plain.__file__), "late.py"))
import late
"""


@case()
def links_among_refused_files(t):
    """What a link leads to counts, also where every file is refused as a rule, and where one is made meanwhile."""
    made = t.run(t.py("-m", "venv", "--without-pip", t.dir / "venv"), limit=2 * LIMIT)
    if made.status:
        raise Skip(f"no venv module: {made.errors[-100:]}")
    site = next((t.dir / "venv" / "lib").glob("python3*")) / "site-packages"
    own = {name: Path(t.write(f"own/{name}", "x = 1\n"))
           for name in ("linked.py", "late.py", "package/__init__.py", "package/module.py")}
    plain = site / "plain.py"
    plain.write_text("x = 1\n")
    (site / "linked.py").symlink_to(own["linked.py"])
    (site / "package").symlink_to(t.dir / "own" / "package")
    path = t.write("app.py", LINKS)
    command = t.inside(t.dir / "venv" / "bin" / "python", "-B", path, own["late.py"])
    for options, expected in (([], [path, *own.values()]), (["--source=plain"], [plain]),
                              (["--source=package.module"], [own["package/module.py"]]),
                              ([f"--source={site}"], [plain, own["linked.py"], own["late.py"]]), ([f"--source={t.dir}/own"], list(own.values()))):
        (site / "late.py").unlink(missing_ok=True)
        run = t.trace(command, options)
        t.expect_equal((run.status, run.err), (0, b""), f"end with {options}")
        t.expect_equal(sorted(run.data), sorted(map(str, expected)), f"files with {options}")


@case()
def shim(t):
    """As pyenv's shims do: a shell script that execs, found on the PATH."""
    path = t.write("app.py", APP)
    t.write("shims/python", f'#!/bin/sh\nexport SHIM=1\nexec "{t.python.command}" "$@"\n', 0o755)
    env = dict(t.env, PATH=f"{t.dir}/shims:{t.env['PATH']}")
    check(t, ["python", path], path, env=env)


@case()
def shebang(t):
    path = t.write("tool", f"#!{t.python.command}\n" + APP, 0o755)
    check(t, [path, "x"], path, Path(path).read_text())


@case()
def shebang_by_env(t):
    path = t.write("tool", "#!/usr/bin/env my-python\n" + APP, 0o755)
    (t.dir / "bin").mkdir()
    (t.dir / "bin" / "my-python").symlink_to(t.python.command)
    if not t.python.root and t.python.kind == "shared":
        t.env["LD_LIBRARY_PATH"] = f"{home(t)}/lib"
    t.env["PYTHONHOME"] = home(t)
    check(t, [path], path, Path(path).read_text(), env=dict(t.env, PATH=f"{t.dir}/bin:{t.env['PATH']}"))


@case()
def module(t):
    path = t.write("pkg/__main__.py", APP)
    init = t.write("pkg/__init__.py", "here = 1  # hit\n")
    run = check(t, t.py("-m", "pkg"), path)
    t.expect_marks(run, init)
    t.expect_oracle(run, t.coverage("-m", "pkg"))


@case()
def module_file(t):
    path = t.write("app.py", APP)
    t.expect_oracle(check(t, t.py("-m", "app"), path), t.coverage("-m", "app"))


@case()
def folder(t):
    path = t.write("app/__main__.py", APP)
    check(t, t.py("app"), path)
    check(t, t.py(t.dir / "app/"), path)


@case()
def zipped(t):
    """Files in an archive are recorded below the archive's name, as coverage.py does."""
    with zipfile.ZipFile(t.dir / "app.zip", "w") as z:
        z.writestr("__main__.py", "import inner\nprint('zipped', inner.x)\n")
        z.writestr("inner.py", "x = 1\n")
    run = t.both(t.py("app.zip"))
    t.expect(run.out == b"zipped 1\n", "wrong output", run)
    t.expect_lines(run, t.dir / "app.zip/__main__.py", [1, 2])
    path = t.write("app.py", "import sys\nsys.path.insert(0, 'app.zip')\nimport inner\nprint(inner.x)\n")
    t.expect_oracle(t.both(t.py(path)), t.coverage(path))


@case()
def command_line(t):
    helper = t.write("helper.py", "def f():\n    return 1  # hit\n\ndef g():\n    return 2  # miss\n")
    run = t.both(t.py("-c", "import sys; sys.path.insert(0, ''); import helper; print(helper.f())"))
    t.expect_marks(run, helper)
    t.expect_equal(sorted(run.data), [helper], "files")


@case()
def standard_input(t):
    helper = t.write("helper.py", "def f():\n    return 1  # hit\n\ndef g():\n    return 2  # miss\n")
    text = b"import sys\nsys.path.insert(0, '')\nimport helper\nprint(helper.f())\n"
    t.expect_marks(t.both(t.py(), stdin=text), helper)
    t.expect_marks(t.both(t.py("-"), stdin=text), helper)


@case()
def isolated(t):
    path = t.write("app.py", APP)
    check(t, t.py("-I", "-S", "-E", path), path)
    check(t, t.py("-I", "-S", "-E", "-s", "-B", "-u", "-W", "error", path), path)


@case()
def optimized(t):
    text = APP + "assert f(0) == 'never'  # miss\nif __debug__:\n    f(0)  # miss\nx = 1  # hit\n"
    path = t.write("app.py", text)
    run = check(t, t.py("-O", path), path, text)
    t.expect_oracle(run, t.coverage(path, flags=["-O"]))
    check(t, t.py("-OO", path), path, text)


@case(since="3.11")
def frozen_modules_off(t):
    path = t.write("app.py", APP)
    for word in ("off", "on"):
        check(t, t.py("-X", f"frozen_modules={word}", path), path)


@case()
def dev_mode(t):
    path = t.write("app.py", APP)
    check(t, t.py("-X", "dev", path), path)
    check(t, t.py("-X", "utf8", "-X", "tracemalloc", "-X", "faulthandler", path), path)


@case()
def empty_environment(t):
    path = t.write("app.py", APP)
    command = t.py(path)
    check(t, ["/usr/bin/env", "-i", *command], path)
    check(t, command, path, env={})


@case()
def compiled(t):
    path = t.write("app.py", APP)
    t.run(t.py("-c", f"import py_compile; py_compile.compile({path!r}, 'app.pyc', doraise=True)"))
    check(t, t.py("app.pyc"), path)
    os.unlink(path)
    check(t, t.py("app.pyc"), path, APP)


@case()
def shell(t):
    path = t.write("app.py", APP)
    command = t.python.command
    check(t, ["sh", "-c", f"{command} app.py && exec {command} app.py x"], path)
    check(t, ["sh", "-c", f"({command} app.py; true) | cat"], path)
    check(t, ["nice", "-n", "0", "env", "A=1", "setsid", "-w", command, "app.py"], path)


@case()
def interactive(t):
    """The prompt on a pipe."""
    helper = t.write("helper.py", "def f():\n    return 1  # hit\n")
    env = dict(t.env, PYTHON_COLORS="0", PYTHON_BASIC_REPL="1")
    run = t.both(t.py("-i", "-q"), stdin=b"import sys\nsys.path.insert(0, '')\nimport helper\nhelper.f()\n", env=env)
    t.expect_marks(run, helper)


@case()
def startup_files(t):
    """sitecustomize, usercustomize and .pth files run before the program."""
    path = t.write("app.py", APP)
    site = t.write("site/sitecustomize.py", "x = 1  # hit\n")
    run = check(t, t.py(path), path, env=dict(t.env, PYTHONPATH=f"{t.dir}/site"))
    t.expect_marks(run, site)


@case()
def malloc_debug(t):
    path = t.write("app.py", APP)
    check(t, t.py(path), path, env=dict(t.env, PYTHONMALLOC="debug", PYTHONHASHSEED="0"))
    check(t, t.py(path), path, env=dict(t.env, PYTHONMALLOC="malloc"))
    check(t, t.py(path), path, env=dict(t.env, PYTHONTRACEMALLOC="5", PYTHONDEVMODE="1"))


@case()
def syntax_error(t):
    path = t.write("app.py", "x = 1\nif:\n")
    run = t.both(t.py(path))
    t.expect_equal(run.status, 1, "status")
    t.expect_equal(run.data.get(path), None, "lines")


@case()
def help_and_version(t):
    t.both(t.py("--version"))
    t.both(t.py("-h"))
    t.both(t.py("-c", "pass"))
    t.both(t.py(t.dir / "no-such-file.py"))
    t.both(t.py("-m", "no_such_module"))
    t.both(t.py("--no-such-option"))


@case()
def name_that_is_not_utf8(t):
    """It cannot be recorded; it runs, and what it imports is measured."""
    helper = t.write("helper.py", "def f():\n    return 1  # hit\n")
    name = os.fsencode(t.dir) + b"/caf\xe9.py"
    with open(name, "w") as f:
        f.write("import helper\nprint(helper.f())\n")
    run = t.both([t.python.command, os.fsdecode(name)])
    t.expect_marks(run, helper)
    t.expect_equal(sorted(run.data), [helper], "files")
