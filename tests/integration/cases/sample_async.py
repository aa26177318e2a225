"""`--async`: the tasks of asyncio, what each waits for, and what their coroutines cost."""

import json
import re

from harness import FULL, TARGETS, case
from processes import Talk, wait_for

TASKS = TARGETS / "sample" / "tasks.py"
FEW = None if FULL else "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15"


CHILDREN = {"gathered": "gathers", "waited": "waits", "shielded": "shields", "timed": "times", "grouped": "groups"}


def places(t):
    """By task, and by distance from its innermost frame: the lines it may be at."""
    found = {}
    for number, line in enumerate(TASKS.read_text().splitlines(), 1):
        for name, depth in re.findall(r"(\w+) (\d)(?:,|$)", line.partition("  # ")[2]):
            if t.version >= (3, 11) or name not in ("groups", "grouped"):
                found.setdefault(name, {}).setdefault(int(depth), set()).add(number)
    return found


def begin(t):
    target = Talk(t, t.py(TASKS), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    return target


def end(t, target):
    t.expect_equal(target.end().status, 0, "its end")


def dump(t, target, *options):
    run = t.run([t.program, "dump", "--async", *options, "-p", target.pid], leave=True)
    t.expect_equal((run.status, run.err), (0, b""), f"status: {run}")
    return run.text


def spins(t, target):
    """What is said while it is in the innermost function, to which it comes soon."""
    return wait_for(t, "spinner spins", lambda: next(
        (found for found in [json.loads(dump(t, target, "--json"))] if any(
            task["name"] == "spinner" and [f["function"] for f in task["frames"]][:1] == ["spins"]
            for task in found["tasks"])), None))


@case()
def what_each_waits_for(t):
    target = begin(t)
    found = spins(t, target)
    tasks = {task["name"]: task for task in found["tasks"]}
    t.expect_equal(len(tasks), len(found["tasks"]), f"tasks once each: {found['tasks']}")
    t.expect_equal(tasks.keys(), places(t).keys(), "tasks; those that have ended are none")
    for name, by_depth in places(t).items():
        frames = [frame for frame in tasks[name]["frames"] if frame["file"] == str(TASKS)]
        lines = [frame["line"] for frame in frames]
        t.expect(len(lines) == len(by_depth) and all(lines[i] in by_depth[i] for i in by_depth),
                 f"{name} is at {lines}, not {by_depth}", tasks[name])
    awaited = {name: task["awaits"] for name, task in tasks.items()}
    t.expect_equal((awaited["waiter"], awaited["second"], awaited["main"]),
                   ('task "spinner"', 'task "waiter"', 'task "second"'), "what tasks wait for")
    t.expect_equal((awaited["spinner"], tasks["spinner"]["tid"]), (None, target.pid), "the one that runs")
    t.expect("Future at" in awaited["direct"] and "_GatheringFuture at" in awaited["gathers"], "futures", awaited)
    waits = {"spinner": ["waiter"], "waiter": ["second"], "direct": [],
             **{child: [parent] for child, parent in CHILDREN.items() if child in tasks}}
    t.expect_equal({name: tasks[name]["awaited_by"] for name in waits}, waits, "who waits for whom")
    text = dump(t, target)
    t.expect(f'\nTask "spinner" runs in thread {target.pid}\n' in text and '    awaited by "waiter"\n' in text and
             '\nTask "waiter" waits for task "spinner"\n    waits_for (' in text, "as text", text)
    end(t, target)


@case(only=FEW)
def stacks_of_tasks(t):
    target = begin(t)
    out = t.dir / "profile"
    names = "main;waiter;waits_for;waiter;waits_for;spinner;spins"

    def sampled():
        run = t.run([t.program, "sample", "-q", "--async", "-F", "-f", "folded", "--full-filenames", "-o", out, "-r", "200",
                     "-d", "0.3", "-p", target.pid], leave=True)
        t.expect_equal(run.status, 0, f"status: {run}")
        stacks = [re.sub(r" \([^;]*\)", "", line.rpartition(" ")[0]) for line in out.read_text().splitlines()]
        t.expect(not [stack for stack in stacks if "run_forever" in stack and "spin" in stack], "the loop below", stacks)
        return names in stacks

    wait_for(t, "the stack of all that wait for each other", sampled)
    end(t, target)


@case(only="debian-3.11")
def without_tasks(t):
    program = "import sys; print('ready', flush=True); sys.stdin.read()"
    target = Talk(t, t.py("-c", program), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    t.expect("No tasks" in dump(t, target), "text")
    t.expect_equal(json.loads(dump(t, target, "--json"))["tasks"], [], "JSON")
    end(t, target)
    run = t.run([t.program, "sample", "--async", "--native", "-p", "1"])
    t.expect(run.status == 2 and "--native" in run.errors, "not with compiled code", run)


@case(only=FEW)
def who_waits_for_the_gil(t):
    """A thread that computes without end, and one that wants to go on."""
    program = t.write("gil.py", """
import sys, threading
def spins():
    while True:
        for _ in range(1000):
            pass
def waits():
    threading.Event().wait()
for function in spins, spins, spins, waits:
    threading.Thread(target=function, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
""")
    target = Talk(t, t.py(program), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")

    def waiting():
        threads = json.loads(t.run([t.program, "dump", "--json", "-p", target.pid], leave=True).text)["threads"]
        for thread in threads:
            names = [frame["function"] for frame in thread["frames"]]
            t.expect(not thread["gil_wait"] or not thread["active"] and "waits" not in names, "it waits for another lock",
                     thread)
        return any(thread["gil_wait"] for thread in threads)

    wait_for(t, "a thread that waits for the GIL", waiting)
    target.process.kill()
    target.end()
