# Frames that are entered from C, left and entered again: generators driven by C code.
import functools
import heapq
import itertools
import operator
import re


def numbers(n):
    for i in range(n):
        yield i  # hit


print(list(heapq.merge(numbers(3), numbers(4))))
print(list(itertools.takewhile(lambda v: v < 2, numbers(9))))
print(list(zip(numbers(2), map(operator.neg, numbers(3)))))
print(re.sub("a", lambda m: m.group().upper(), "banana"))  # hit
print(sorted(numbers(4), key=functools.cmp_to_key(lambda a, b: b - a)))


class Seq:
    def __len__(self):
        return 3  # hit

    def __getitem__(self, i):
        if i > 2:
            raise IndexError  # hit
        return i  # hit

    def __contains__(self, v):
        return False  # hit

    def __format__(self, spec):
        return spec  # hit

    def __iadd__(self, other):
        return self  # hit

    def __bool__(self):
        return False  # hit

    def __call__(self):
        return self  # hit

    def __enter__(self):
        return self  # hit

    def __exit__(self, *a):
        return True  # hit


s = Seq()
print(list(s), list(reversed(s)), 1 in s, "{:x}".format(s), not s)
s += 1
with s():
    raise ValueError
print(dict.fromkeys(s), [*s], max(s), set(s) | {1}, "".join(map(str, s)))
a, *b = s
print(a, b)
