"""Generators that go on and wait in turns: while they wait they have no caller. Ends at the end of its standard input."""

import select
import sys


def g2():
    yield from range(20000)


def g1():
    for x in g2():
        yield x


def main():
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in g1():  # CALL
            pass


print("ready", flush=True)
main()
