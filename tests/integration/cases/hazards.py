"""Programs of tests/targets that meet the hazards of changed bytecode (3.8 - 3.11), or of a function of the interpreter that
is replaced (3.12, 3.13), and check themselves what they see."""

from harness import FULL, TARGETS, case

SLOW = {"hazards_reuse": "pyenv-3.8 pyenv-3.10 debian-3.11", "hazards_large": "pyenv-3.8 pyenv-3.10 debian-3.11"}


def add(source):
    def run(t):
        t.expect_equal(t.both(t.py("-B", source)).status, 0, "status")

    run.__name__ = source.stem
    case(until="3.11", group="hazards", only=None if FULL else SLOW.get(source.stem))(run)


for _source in sorted(TARGETS.glob("hazards_*.py")):
    add(_source)


def written(t, name):
    return t.write(name, (TARGETS / name).read_bytes())


@case(since="3.12", until="3.13", group="hazards")
def line_lookup(t):
    target = written(t, "line_lookup.py")
    t.expect_equal(t.run(t.py("-B", target)).status, 0, "status without us")
    t.expect_equal(t.trace(t.py("-B", target, "hooked")).status, 0, "status")


@case(since="3.12", until="3.13", group="hazards")
def line_parallel(t):
    t.expect_equal(t.both(t.py("-B", written(t, "line_parallel.py"))).status, 0, "status")
