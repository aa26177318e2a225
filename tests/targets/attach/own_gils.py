"""Interpreters with a GIL of their own, all of them busy with code that is new each time, until standard input ends."""
import os, sys, threading

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

WORK = """
import os, time

def source(n):
    return "def f(a):\\n" + "    a += 1\\n    if a % 3:\\n        a += 2\\n" * n + "    return a\\nr = f(0)\\n"

def value(n):
    a = 0
    for i in range(n):
        a += 1
        if a % 3:
            a += 2
    return a

turn = 0
while not os.path.exists(STOP):
    turn += 1
    n = 20 + turn % 30
    names = {}
    exec(compile(source(n), NAME % (turn % 50), "exec"), names)
    if names["r"] != value(n):
        raise SystemError("%r, not %r" % (names["r"], value(n)))
    time.sleep(PAUSE)
"""

stop = sys.argv[1]
failed, ended = [], []


def work(number):
    interpreter = interpreters.create()
    name = os.path.join(os.path.dirname(stop), "made%d_%%d.py" % number)
    error = interpreters.run_string(interpreter, "STOP, NAME, PAUSE = %r, %r, 0\n" % (stop, name) + WORK)
    if error:
        failed.append(error)
    interpreters.destroy(interpreter)
    ended.append(number)


def here():
    name = os.path.join(os.path.dirname(stop), "main_%d.py")
    exec(WORK, {"STOP": stop, "NAME": name, "PAUSE": 0.001})
    ended.append("main")


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)] + [threading.Thread(target=here)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.read()
open(stop, "w").close()
for thread in threads:
    thread.join()
print("failed", failed, "ended", len(ended))
