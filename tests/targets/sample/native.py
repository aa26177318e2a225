"""sorted(), which is compiled code, calls key() again and again; ends with its standard input."""

import select
import sys


def key(x):
    for _ in range(300):
        pass
    return -x


def work():
    while not select.select([sys.stdin], [], [], 0)[0]:
        sorted(range(2000), key=key)


print("ready", flush=True)
work()
