# Code objects come and go at the same addresses: a line of one must never be taken for a line of another.
import gc


def make(n):
    source = "\n" * (100 + 10 * n) + "def f(x):\n    if x:\n        return 1\n    return 2\n"
    space = {}
    exec(compile(source, __file__, "exec"), space)
    return space["f"]


for n in range(400):
    f = make(n)
    assert f(n % 2) == (1 if n % 2 else 2)
    del f
    if n % 50 == 0:
        gc.collect()
kept = [make(1000 + n) for n in range(50)]
for f in kept[::2]:
    f(0)
del kept
gc.collect()
kept = [make(3000 + n) for n in range(50)]
kept[7](1)
print("done")  # hit
