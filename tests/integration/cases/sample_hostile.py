"""Targets whose memory lies: no crash, no hang, bounded memory."""

import resource

from harness import FULL, TARGETS, case
from processes import Talk


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


@case(only=None if FULL else "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15")
def a_target_that_lies(t):
    target = Talk(t, t.py(TARGETS / "sample" / "liar.py"), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    dumps = [["dump", "-p", target.pid, *more] for more in ((), ("--locals",), ("--json", "--locals"), ("--blocking",))]
    samples = [["sample", "-q", "-p", target.pid, "-d", "0.5", "-r", "5000", "--idle", "-o", t.dir / "p", *more]
               for more in ((), ("--blocking",))]
    for words in [*dumps, *samples]:
        run = t.run([t.program, *words], leave=True, preexec_fn=limited)
        t.expect(run.status in (0, 1), f"how it ends: {words}", run)
    t.expect_equal(target.process.poll(), None, "the target's status")
    target.process.kill()
    target.end()
