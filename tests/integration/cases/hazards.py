"""Programs of tests/targets that meet the hazards of changed bytecode, and check themselves what they see."""

from harness import TARGETS, case


def add(source):
    def run(t):
        t.expect_equal(t.both(t.py("-B", source)).status, 0, "status")
        with t.difference(f"{source.name} with --pylib"):
            t.expect_same(t.run(t.py("-B", source)), t.trace(t.py("-B", source), ["--pylib"]))

    run.__name__ = source.stem
    case(group="hazards")(run)


for _source in sorted(TARGETS.glob("hazards_*.py")):
    add(_source)
