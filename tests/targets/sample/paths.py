"""Short calls of three kinds, so that every stack that there can be is known.

Each function calls one child of its own from each of its lines: from the first directly, from the second through C, from
the third a generator. The name of a child is its caller's and the number of that line, so a frame tells which may be
above it. Ends at the end of its standard input.
"""

import select
import sys

DEPTH = 4


def source(name, depth):
    """The function of a name and those it calls, each from a file of its own: lines 2, 3 and 4 call."""
    begin = f"def {name}():\n"
    if depth == 0:
        yield name, begin + " return\n"
        return
    for i in (1, 2, 3):
        yield from source(f"{name}{i}", depth - 1)
    yield name, begin + f" {name}1()\n list(map({name}2_, ONE))\n for _ in {name}3__(): pass\n"


def make(name, text):
    exec(compile(text, f"{name}.py", "exec"), globals())
    through_c = f"def {name}_(x):\n {name}()\n"
    generator = f"def {name}__():\n yield {name}()\n"
    exec(compile(through_c, f"{name}_.py", "exec"), globals())
    exec(compile(generator, f"{name}__.py", "exec"), globals())


ONE = [1]
for function in source("p", DEPTH):
    make(*function)


def main():
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(100):
            p()  # CALL


print("ready", flush=True)
main()
