"""Targets whose memory lies: no crash, no hang, bounded memory."""

import resource

from harness import FULL, TARGETS, case
from processes import Talk


FEW = None if FULL else "pyenv-3.8 debian-3.11 pyenv-3.12 sid-3.15"


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def look_at_a_liar(t, script, dumps, samples):
    target = Talk(t, t.py(TARGETS / "sample" / script), traced=False)
    t.expect_equal(target.line(), "ready", "it begins")
    dumps = [["dump", "-p", target.pid, *more] for more in dumps]
    samples = [["sample", "-q", "-p", target.pid, "-d", "0.5", "-r", "5000", "--idle", "-o", t.dir / "p", *more]
               for more in samples]
    for words in [*dumps, *samples]:
        run = t.run([t.program, *words], leave=True, preexec_fn=limited)
        t.expect(run.status in (0, 1), f"how it ends: {words}", run)
    t.expect_equal(target.process.poll(), None, "the target's status")
    target.process.kill()
    target.end()


@case(only=FEW)
def a_target_that_lies(t):
    look_at_a_liar(t, "liar.py", ((), ("--locals",), ("--json", "--locals"), ("--blocking",)), ((), ("--blocking",)))


@case(only=FEW)
def tasks_that_lie(t):
    look_at_a_liar(t, "lying_tasks.py", (("--async",), ("--async", "--json", "--locals")) * 4, (("--async",),))
