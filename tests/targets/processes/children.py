"""For the other targets: children of their own, each with a script that marks its truth, in the folder sys.argv[1]."""
import os
import sys

TEXT = """\
import os  # hit
import sys  # hit

def f(x):  # hit
    if x:  # hit
        return "ran"  # hit
    return "never"  # miss

only = sorted(k for k in os.environ if k.startswith("ONLY"))  # hit
sys.stdout.write(" ".join([f(1)] + sys.argv[1:] + only) + "\\n")  # hit
sys.stdout.flush()  # hit
"""


def script(name, text=TEXT):
    path = os.path.join(sys.argv[1], "child_%s.py" % name)
    with open(path, "w") as f:
        f.write(text)
    return path


def command(name, *flags, **how):
    return [sys.executable] + list(flags) + [script(name, **how), name]


def say(*words):
    print(*words, flush=True)


def status_of(pid):
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
