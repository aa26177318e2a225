"""The options of coverage.py's commands are ours, but those that a list leaves out with a reason."""

import re
from pathlib import Path

from harness import Skip, case

LIST = Path(__file__).resolve().parents[2] / "coverage_options_left_out.tsv"
NEWEST = 7, 17


def options_of(text):
    """Those at the beginning of lines, before their explanations: "-a, --append  Append ..."."""
    found = set()
    for line in text.splitlines():
        names = re.match(r"\s+((?:-\w|--[\w-]+)(?:[ =][A-Z][\w,.]*)?(?:, --[\w-]+)?)", line)
        found.update(re.findall(r"(?<![\w-])--?[\w-]+", names[1]) if names else [])
    return found


def commands_of(text):
    return re.findall(r"^    (\w+) ", text.partition("Commands:")[2], re.MULTILINE)


@case(only="debian-3.11 sid-3.14")
def those_of_coverage_py(t):
    def coverage(*args):
        run = t.run(t.py("-m", "coverage", *args), env={**t.env, "PYTHONPATH": t.python.coverage})
        t.expect_equal(run.status, 0, f"coverage {args}")
        return run.text

    version = tuple(int(n) for n in re.search(r"version (\d+)\.(\d+)", coverage("--version")).groups())
    if version < NEWEST:
        raise Skip(f"coverage.py {version} of {t.python.name} is not the newest")
    expected = {tuple(line.split("\t")[:2]) for line in LIST.read_text().splitlines()[1:]}
    ours_all = t.run([t.program, "--help"]).text
    left_out = set()
    commands = commands_of(coverage("help"))
    t.expect(len(commands) >= 9, "commands", commands)
    for command in commands:
        if command != "run" and not re.search(rf"^  {command} ", ours_all, re.MULTILINE):
            left_out.add((command, ""))
            continue
        theirs = options_of(coverage("help", command))
        ours = options_of(ours_all if command == "run" else t.run([t.program, command, "--help"]).text)
        t.expect(len(theirs) >= 4 and len(ours) >= 4, f"options of {command}", theirs, ours)
        left_out.update((command, option) for option in theirs - ours)
    # -p of ours is another one
    left_out |= {("run", "-p")} if re.search(r"^  -p, --pid", ours_all, re.MULTILINE) else set()
    t.expect_equal(sorted(left_out), sorted(expected), f"what we leave out, against {LIST.name}")
