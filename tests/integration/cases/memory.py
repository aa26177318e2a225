"""What is kept of a program that loads the same code again and again does not grow."""

from harness import FULL, case

SCRIPT = """import gc, importlib, os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import again
def resident():
    gc.collect()
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
def load(n):
    for i in range(n):
        importlib.reload(again)
load(100)
before = resident()
load(%d)
print(resident() - before)
"""
MODULE = "".join(f"def f{i}(x):\n    if x:\n        return {i}\n    return -{i}\n\nf{i}({i} % 2)\n\n" for i in range(8))
ROOM = 2048  # KiB


@case()
def reloads(t):
    t.write("again.py", MODULE)
    path = t.write("app.py", SCRIPT % (10000 if FULL else 1000))
    plain, traced = t.run(t.py(path)), t.trace(t.py(path))
    t.expect_equal((traced.status, traced.err), (0, b""), "end")
    grown, would = int(traced.out), int(plain.out)
    t.expect(grown <= would + ROOM, f"1,000 reloads cost {grown} KiB more, and {would} KiB without us")


@case()
def functions_come_and_go(t):
    text = """import gc, os
def resident():
    gc.collect()
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
def churn(n):
    for i in range(n):
        space = {}
        exec(compile("def f(a):\\n    b = a + %d\\n    return b\\n" % (i % 7), __file__, "exec"), space)
        space["f"](i)
churn(2000)
before = resident()
churn(COUNT)
print(resident() - before)
"""
    path = t.write("app.py", text.replace("COUNT", "200000" if FULL else "20000"))
    plain, traced = t.run(t.py(path)), t.trace(t.py(path))
    t.expect_equal((traced.status, traced.err), (0, b""), "end")
    grown, would = int(traced.out), int(plain.out)
    t.expect(grown <= would + ROOM, f"it costs {grown} KiB more, and {would} KiB without us")
