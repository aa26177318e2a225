"""`pycov-trace dump`: every stack is what the interpreter itself says it is."""

import json
import os
import re
import shutil
import subprocess

from harness import LIMIT, TARGETS, Skip, case, status_of
from processes import Talk, wait_for

HERE = TARGETS / "sample"


def talk(t, name, *args, **more):
    return Talk(t, t.py(HERE / name, *args), traced=False, **more)


def dump(t, pid, *options):
    run = t.run([t.program, "dump", "-p", pid, *options], leave=True)
    t.expect_equal((run.status, run.errors), (0, ""), "dump")
    return run


def frames_of(thread):
    return [[f["function"], f["file"], f["line"]] for f in thread["frames"]]


def waits(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0] == "S"


def expect_stacks(t, pid, expected, *options):
    """Each thread of @expected (tid: frames) is found with exactly these frames, and there is no other thread."""
    # Twice: one that waits for the GIL alone goes on when another, who is not asked any more, has let it go.
    wait_for(t, "all threads wait", lambda: all(waits(pid, tid) for tid in [*expected, *expected]))
    found = json.loads(dump(t, pid, "--json", *options).text)
    t.expect_equal(found["python"], t.python.full_version, "version")
    threads = {str(thread["tid"]): thread for thread in found["threads"]}
    t.expect_equal(sorted(threads), sorted(expected), "threads")
    for tid, frames in expected.items():
        if tid == str(pid):  # where it is in the line that says it and waits
            frames[0][2] = threads[tid]["frames"][0]["line"]
            t.expect(frames[0][0] == "say_and_wait", "the main thread waits where it should", frames[0])
        t.expect_equal(frames_of(threads[tid]), frames, f"frames of {tid}")
        t.expect_equal(threads[tid]["active"], False, f"thread {tid} runs")
    return found


@case()
def all_kinds_of_frames(t):
    target = talk(t, "stacks.py")
    expected = json.loads(target.line())
    expect_stacks(t, target.pid, expected)
    text = dump(t, target.pid).text
    t.expect(f"Python v{t.python.full_version} (" in text and text.count("\nThread ") == 12, "text", text)
    for frames in expected.values():
        for function, file, line in frames[1:]:
            t.expect(f"    {function} ({file}:{line})\n" in text, "a frame in the text", function, line, text)
    target.process.kill()
    target.end()


@case()
def of_each_interpreter(t):
    """A thread has a stack in each interpreter that it has gone into."""
    target = talk(t, "interpreters.py")
    t.expect_equal(target.line(), "ready", "line")
    threads = json.loads(dump(t, target.pid, "--json").text)["threads"]
    found = {thread["interpreter"]: thread for thread in threads if thread["tid"] != target.pid}
    t.expect_equal(sorted(found), [0, 1], "interpreters")
    t.expect_equal(found[0]["tid"], found[1]["tid"], "the thread that is in both")
    t.expect_equal([frame[::2] for frame in frames_of(found[1])], [["inner", 3], ["<module>", 4]], "frames in the second")
    t.expect_equal(frames_of(found[0])[0][0], "outer", "where it went there")
    target.process.stdin.close()
    target.process.stdin = None
    t.expect_equal(target.end().status, 0, "end")


@case(only="pyenv-3.8 pyenv-3.11 pyenv-3.13 debian-3.11")
def its_files_are_deleted(t):
    """The interpreter's own file, or libpython, has gone from the disk."""
    copy = t.dir / "prefix"
    (copy / "bin").mkdir(parents=True)
    exe = copy / "bin" / "python-copy"
    shutil.copy(t.python.exe, exe)
    env = dict(t.env)
    if t.python.kind == "shared":
        (copy / "lib").mkdir()
        name = f"libpython3.{t.version[1]}.so.1.0"
        shutil.copy(os.path.join(os.path.dirname(t.python.exe), "..", "lib", name), copy / "lib" / name)
        env["LD_LIBRARY_PATH"] = str(copy / "lib")
    env["PYTHONHOME"] = str(os.path.dirname(os.path.dirname(t.python.exe)))
    target = Talk(t, [exe, HERE / "stacks.py"], traced=False, env=env)
    expected = json.loads(target.line())
    shutil.rmtree(copy)
    expect_stacks(t, target.pid, expected)
    target.process.kill()
    target.end()


@case(only="debian-3.11 pyenv-3.9 sid-3.15")
def in_another_pid_namespace(t):
    if os.geteuid() != 0:
        raise Skip("optional: only root can make a pid namespace")
    argv = t.py(HERE / "stacks.py")
    target = Talk(t, ["unshare", "--pid", "--fork", "--kill-child", *argv], traced=False)
    expected = json.loads(target.line())
    child = wait_for(t, "the child", lambda: open(f"/proc/{target.pid}/task/{target.pid}/children").read().split())[0]
    inner = {status_of(tid)["NSpid"].split()[-1]: tid for tid in os.listdir(f"/proc/{child}/task")}
    expect_stacks(t, int(child), {inner[tid]: frames for tid, frames in expected.items()})
    target.process.kill()
    target.end()


def refusal(t, pid, **how):
    run = t.run([t.program, "dump", str(pid)], leave=True, **how)
    t.expect_equal((run.status, run.text), (1, ""), f"a refusal: {run}")
    return run.errors


@case(only="debian-3.11")
def refusals(t):
    gone = subprocess.Popen(["true"])
    gone.wait()
    t.expect("there is no process" in refusal(t, gone.pid), "no such process")
    sleep = subprocess.Popen(["sleep", str(5 * LIMIT)])
    wait_for(t, "sleep runs", lambda: b"sleep" in open(f"/proc/{sleep.pid}/cmdline", "rb").read())
    text = refusal(t, sleep.pid)
    t.expect("not Python: it runs" in text and "/sleep" in text, "not Python", text)
    sleep.kill()
    os.waitid(os.P_PID, sleep.pid, os.WEXITED | os.WNOWAIT)
    t.expect("zombie" in refusal(t, sleep.pid), "a zombie")
    sleep.wait()
    for bad in ("0", "x", "-1", "99999999999"):
        run = t.run([t.program, "dump", "-p", bad])
        t.expect_equal(run.status, 2, f"dump -p {bad}: {run}")
    if os.geteuid() == 0:
        target = talk(t, "stacks.py")
        target.line()
        program = shutil.copy(t.program, t.dir)
        os.chmod(program, 0o755)
        t.dir.chmod(0o711)
        run = t.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "dump",
                     str(target.pid)], leave=True, cwd="/")
        t.expect("belongs to user 0" in run.errors and "sudo" in run.errors, "another user's", run)
        target.process.kill()
        target.end()


@case(only="pyenv-3.8 debian-3.11 sid-3.15")  # the unit test has them all
def its_layout_is_verified(t):
    target = talk(t, "stacks.py")
    target.line()
    run = t.run([t.program, "--verify-layout", "-p", target.pid], leave=True)
    t.expect(run.status == 0 and f"Python {t.python.full_version} in " in run.text and
             re.search(r"compared: \d+ right, 0 wrong", run.text), "verify-layout", run)
    target.process.kill()
    target.end()


@case()
def local_variables(t):
    target = talk(t, "locals.py")
    expected = json.loads(target.line())
    wait_for(t, "it waits", lambda: waits(target.pid, target.pid))
    thread, = json.loads(dump(t, target.pid, "--json", "--locals").text)["threads"]
    frame = next(f for f in thread["frames"] if f["function"].endswith("function"))
    found = {local["name"]: local["repr"] for local in frame["locals"]}
    for name, value in expected.items():
        got = found.get(name, "absent")
        same = value.startswith(got[:-3]) if got.endswith("...") else value == got
        t.expect(same, f"{name}: {got!r}, not {value!r}")
    arguments = {local["name"] for local in frame["locals"] if local["argument"]}
    t.expect_equal(arguments, {"positional", "keyword", "args", "kwargs"}, "arguments")
    t.expect("captured: 42\n" in dump(t, target.pid, "--locals", "--blocking").text, "as text, stopped")
    target.process.kill()
    target.end()
