# A function of more than 100,000 instructions.
import os

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wide.py")
with open(path, "w") as f:
    f.write("def f(x):\n")
    for i in range(12000):
        f.write("    if x == %d:\n        x = x + 2 if x else 3\n" % (2 * i if i < 9000 else -1))
    f.write("    return x\n\nf(0)\n")
with open(path) as f:
    exec(compile(f.read(), path, "exec"))
