# A file of 100,000 lines.
import os

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "large.py")
with open(path, "w") as f:
    f.write("x = 0\n")
    for i in range(20000):
        f.write("if x == %d:\n    x += 1\nelse:\n    x = -1\n\n" % (i if i != 15000 else -5))
with open(path) as f:
    exec(compile(f.read(), path, "exec"))
print(x)  # hit
