# since: 3.14
# env: PYTHON_JIT=1
import sys


def hot(n):
    total = 0  # hit
    for i in range(n):
        if i % 3 == 0:
            total += i  # hit
        elif i == 199999:
            total -= 1  # hit
        elif i < 0:
            total = 0  # miss
    return total  # hit


print(hot(200000))


def later(x):
    if x > 100000:
        return "late"  # hit
    return x  # hit


for i in range(100002):
    later(i)
print(getattr(getattr(sys, "_jit", None), "is_available", bool)() in (True, False))
