# A file of 100,000 lines, in many functions: the interpreters 3.12.1 and 3.13.0 take a time that grows with the square
# of the lines of one, whoever asks them for lines.
import os

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "large.py")
with open(path, "w") as f:
    for i in range(200):
        f.write("def f%d(x):\n" % i)
        for j in range(99):
            f.write("    if x == %d:\n        x += 1\n    else:\n        x = -1\n\n" % (j if i % 7 else 50))
        f.write("    return x\n\nf%d(0)\n\n" % i)
with open(path) as f:
    text = f.read()
assert text.count("\n") == 100000, text.count("\n")
exec(compile(text, path, "exec"))
print("end")  # hit
