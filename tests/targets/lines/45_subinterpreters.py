# oracle: no it stays in the main interpreter
import os
import sys
import textwrap

here = os.path.dirname(os.path.abspath(__file__))
path = os.path.join(here, "inside.py")
source = textwrap.dedent("""
    def f(x):
        if x == 1:
            return "one"
        elif x == 2:
            return "two"
        elif x == 3:
            return "three"
        return "none"
    f(x)
    """)
try:
    import _interpreters
except ImportError:
    try:
        import _xxsubinterpreters as _interpreters
    except ImportError:
        import _xxinterpreters as _interpreters  # miss


def run(x):
    interp = _interpreters.create()
    try:
        return _interpreters.run_string(
            interp, "x = %d\nexec(compile(%r, %r, 'exec'))" % (x, source, path))  # hit
    finally:
        _interpreters.destroy(interp)  # hit


run(1)
import threading

threads = [threading.Thread(target=run, args=(3,)) for _ in range(4)]
for t in threads:
    t.start()
    t.join()
for i in range(20):
    run(5)
print("done")  # hit
