"""Interpreters with a GIL of their own look up lines at once, of code that comes and goes."""
import threading

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

WORK = """
import sys

def here(line):
    found = sys._getframe(1).f_lineno
    if found != line:
        raise SystemError("line %%d, not %%d" %% (found, line))

def generate(first, n, step):
    return "\\n" * first + ("\\n" * step).join("here(%%d)" %% (first + 1 + i * step) for i in range(n))

for turn in range(6):
    for seed in range(%d, %d):
        step = 1 + (seed + turn) %% 3
        exec(compile(generate(seed * turn, 300, step), "generated.py", "exec"), {"here": here})
"""

failed = []


def run(number):
    interpreter = interpreters.create()
    error = interpreters.run_string(interpreter, WORK % (number, number + 4))
    interpreters.destroy(interpreter)
    if error:
        failed.append(error)


def work(number):
    left.append(number)
    run(number)
    left.remove(number)


left = []
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failed or left:
    raise SystemExit("failed: %r" % failed)
