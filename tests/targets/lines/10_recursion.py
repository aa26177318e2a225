# oracle: no it runs into the limit itself
import sys


def forever(n):
    return forever(n + 1)  # hit


try:
    forever(0)
    print("no")  # miss
except RecursionError:
    print("limit")  # hit


def through_c(n):
    if n == 0:
        return 0  # hit
    return max([n], key=lambda v: through_c(n - 1))  # hit


through_c(100)
sys.setrecursionlimit(6000)


def deep(n):
    if n:
        return deep(n - 1)  # hit
    return "deep"  # hit


print(deep(5000))
sys.setrecursionlimit(150)
try:
    deep(1000)
except RecursionError:
    print("sooner")  # hit


class Repr:
    def __repr__(self):
        return repr(self)  # hit


try:
    repr(Repr())
except RecursionError:
    print("repr")  # hit
