"""A function of 100,000 lines, long arguments, and the interpreter's shortcut for string += string."""
import time


def large(n):
    lines = ["def f(a):\n"] + ["    a += 1\n"] * n + ["    return a\n"]
    namespace = {}
    exec(compile("".join(lines), "/nowhere/large.py", "exec"), namespace)
    start = time.process_time()
    assert namespace["f"](0) == n
    return time.process_time() - start


def dense(n):
    source = "x = [\n" + "".join("  %d if %d %% 2 else\n  str(%d),\n" % (i, i, i) for i in range(n)) + "]\n"
    namespace = {}
    exec(compile(source, "/nowhere/dense.py", "exec"), namespace)
    assert len(namespace["x"]) == n


def far_jumps(n):
    body = "".join("        b = a\n" for _ in range(n))
    source = "def f(a):\n    for i in range(3):\n        if i == 1:\n            continue\n" + body + "    return b\n"
    namespace = {}
    exec(compile(source, "/nowhere/far.py", "exec"), namespace)
    assert namespace["f"](5) == 5


def concatenate(n):
    s = ""
    for _ in range(n):
        s += "x"
        s = (
            s + "y"
        )
    return len(s)


assert large(100000) < 5
dense(3000)
far_jumps(40000)
start = time.process_time()
assert concatenate(200000) == 400000
assert time.process_time() - start < 5
print("OK")
