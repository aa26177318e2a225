"""Exact lines of the marked scripts in tests/targets/lines, one case each.

Each runs plain, under pycov-trace and under coverage.py: the first two do the same, the last two record the same lines,
and the marks hold. The first comment lines of a script may set, one a line:

  # since: 3.12           the first version that runs it
  # until: 3.11           the last one
  # only: NAME NAME       the interpreters that run it (for what costs too much on all)
  # flags: -X utf8        arguments of the interpreter
  # args: a b             arguments of the script
  # env: NAME=VALUE ...   added to the environment, {python.coverage} and the like filled in
  # oracle: no WHY        coverage.py cannot judge this one
  # difference: NAME      its line in known_differences.tsv
"""

import contextlib
import re

from harness import TARGETS, case

_SETTING = re.compile(r"# (since|until|only|flags|args|env|oracle|difference): (.*)")


def settings_of(text):
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            break
        match = _SETTING.match(line)
        if match:
            found[match[1]] = match[2]
    return found


def check(t, source, s):
    script = t.write(source.name, source.read_bytes())
    flags, args = s.get("flags", "").split(), s.get("args", "").split()
    env = dict(t.env, **dict(word.format(python=t.python).split("=", 1) for word in s.get("env", "").split()))
    run = t.both(t.py(*flags, script, *args), env=env)
    t.expect(run.status == 0, "the script failed", run)
    with t.difference(s["difference"]) if "difference" in s else contextlib.nullcontext():
        t.expect_marks(run, script)
        if not s.get("oracle", "").startswith("no"):
            t.expect_oracle(run, t.coverage(script, *args, flags=flags, env=env))


def add(source):
    s = settings_of(source.read_text(encoding="utf-8", errors="replace"))

    def run(t):
        check(t, source, s)

    run.__name__ = source.stem
    case(since=s.get("since", "3.8"), until=s.get("until", "3.99"), only=s.get("only"), group="lines")(run)


for _source in sorted((TARGETS / "lines").glob("*.py")):
    add(_source)
