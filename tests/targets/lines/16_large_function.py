# A function of more than 100,000 instructions.
import os

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wide.py")
with open(path, "w") as f:
    f.write("def f(x):\n")
    for i in range(300):
        f.write("    if x %% 100 == %d:\n        x = x%s\n" % (i % 100 if i < 100 else 101, " + 1" * 101))
        f.write("    else:\n        x = x%s\n" % (" + 2 - 2" * 50))
    f.write("    return x\n\nf(0)\n")
with open(path) as f:
    exec(compile(f.read(), path, "exec"))
