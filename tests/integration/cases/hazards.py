"""Programs of tests/targets that meet the hazards of changed bytecode (3.8 - 3.11), and check themselves what they see."""

from harness import FULL, TARGETS, case

SLOW = {"hazards_reuse": "pyenv-3.8 pyenv-3.10 debian-3.11", "hazards_large": "pyenv-3.8 pyenv-3.10 debian-3.11"}


def add(source):
    def run(t):
        t.expect_equal(t.both(t.py("-B", source)).status, 0, "status")

    run.__name__ = source.stem
    case(until="3.11", group="hazards", only=None if FULL else SLOW.get(source.stem))(run)


for _source in sorted(TARGETS.glob("hazards_*.py")):
    add(_source)
