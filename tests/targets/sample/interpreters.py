"""A thread that waits in a second interpreter, in inner() of that, until the end of the standard input."""

import threading

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

SECOND = """\
import os
def inner():
    os.write(1, b"ready\\n"), os.read(0, 1)
inner()
"""


def outer():
    run = getattr(interpreters, "run_string", None) or interpreters.exec
    run(interpreters.create(), SECOND)


thread = threading.Thread(target=outer)
thread.start()
thread.join()
