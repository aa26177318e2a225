"""Greenlets on stacks of many depths that switch all the time, and check what they hold, until standard input ends."""
import select
import sys

import greenlet

errors, over = [], False
home = greenlet.getcurrent()


def deep(depth, f, n):
    held = [depth, n]
    ret = min([depth], key=lambda _: deep(depth - 1, f, n)) if depth else f(n)
    if held != [depth, n]:
        errors.append(held)
    return ret


def there_and_back(value):
    home.switch()
    return value


def works(n):
    rounds = 0
    while not over:
        rounds += 1
        held = [n, rounds]
        home.switch()
        if held != [n, rounds] or max(map(there_and_back, range(n))) != n - 1:
            errors.append(held)
    return 0


switching = [greenlet.greenlet(lambda n=n: deep(3 * n % 17, works, n)) for n in range(1, 20)]
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(20):
        for one in switching:
            one.switch()
over = True
while not all(one.dead for one in switching):
    for one in switching:
        one.switch()
print("errors", errors, flush=True)
