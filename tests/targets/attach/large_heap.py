"""Functions and suspended generators among argv[1] objects that the collector knows. Until a line comes from standard
input much comes, goes and is collected; then all of them run, once for each line. argv[2] is what they are called to be in,
three lines for each.
"""
import gc
import os
import select
import sys

KINDS = ("def f():\n    x = 1\n    return x\n",
         "def f():\n    while 1:\n        yield 1\n",
         "def f():\n    def g(): return 1\n    return g\n")
NUMBER = 300


def made(i):
    names = {}
    exec(compile("\n" * (3 * i) + KINDS[i % 3], sys.argv[2], "exec"), names)
    f = names["f"]
    if i % 3 == 0:
        return f
    if i % 3 == 2:
        return f()
    generator = f()
    next(generator)
    return generator.__next__


def come_and_go(n):
    garbage = [[k] for k in range(300)]
    for one in garbage:
        one.append(one)
    if n % 5 == 0:
        gc.collect(n // 5 % 2)
    if n == 40:
        gc.freeze()
    if n == 42:
        gc.unfreeze()
    if n == 60:
        gc.collect()
    if n % 20 == 3:
        fork()
    heap[n * 7919 % len(heap)] = [n]


def fork():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    else:
        those[0]()
        gc.collect(0)
        os._exit(0)


def step(n):
    come_and_go(n)
    return n + 1


heap, those = [], []
for i in range(NUMBER):
    heap += [[k] for k in range(int(sys.argv[1]) // NUMBER)]
    those.append(made(i))
print("ready", flush=True)
while True:
    n = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        n = step(n)
    if not sys.stdin.readline():
        break
    for one in those:
        one()
    print("ran", len(gc.get_objects()) > 0, flush=True)
