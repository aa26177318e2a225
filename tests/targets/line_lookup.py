"""PyCode_Addr2Line() says what co_lines() says: in any order, of code objects that come and go, of tables that are none."""
import ctypes
import random
import sys
import threading

PARTS = ["x = %d", "y = [a for a in (x,\n  2,\n 3)]", "\n" * 300, "if x:\n    pass", "with open('/dev/null') as q:\n    del q",
         "try:\n    x()\nexcept Exception:\n    z = 1\nfinally:\n    w = 2"]

lookup = ctypes.pythonapi.PyCode_Addr2Line
lookup.argtypes = [ctypes.py_object, ctypes.c_int]
lookup.restype = ctypes.c_int


class Failed(Exception):
    pass


def is_hooked():
    start = ctypes.string_at(ctypes.cast(lookup, ctypes.c_void_p), 5)
    return b"\xe9" in (start[:1], start[4:])


def expected(code):
    lines = [-1] * (len(code.co_code) + 40)
    for start, end, line in code.co_lines():
        for i in range(start, min(end, len(lines))):
            lines[i] = -1 if line is None else line
    return lines


def check(code, random):
    lines = expected(code)
    places = range(len(lines))
    for i in [*places[::11], *random.choices(places, k=60), *places[::-53]]:
        got = lookup(code, i)
        if got != lines[i]:
            raise Failed("byte %d of %r: %d, not %d" % (i, code, got, lines[i]))
    if lookup(code, -1) != code.co_firstlineno:
        raise Failed("before the first")


def generate(n, random):
    parts = (random.choice(PARTS) for _ in range(n))
    return compile("\n".join(p % i if "%" in p else p for i, p in enumerate(parts)), "generated.py", "exec")


def table(n, random):
    return bytes(random.choice((random.randrange(256), 128 | random.randrange(128))) for _ in range(n))


def entries(n, units, random):
    """A part of a line table that is in order: each of them is of so many instructions."""
    kinds = ((0xe8, [0]), (0xe8, [2]), (0xd8, [4, 6]), (0x80, [16]), (0xe8, [67, 1]))
    out = bytearray()
    for _ in range(n):
        head, tail = random.choice(kinds)
        out += bytes([head | units - 1, *tail])
    return bytes(out)


def check_mixtures(code, random):
    """Tables that begin, or go on, like others which were looked into before."""
    for _ in range(30):
        same, one, other = entries(20, 2, random), entries(200, 8, random), entries(1200, 1, random)
        cut = len(same + one) // 128 * 128
        tables = same + one, same + other, (same + one)[:cut] + (same + other)[cut:]
        for table in (*tables, *reversed(tables)):
            one_code = code.replace(co_linetable=table)
            lines = expected(one_code)
            for i in (len(lines) - 1, *random.choices(range(len(lines)), k=3)):
                if lookup(one_code, i) != lines[i]:
                    raise Failed("byte %d of a mixture" % i)


def work(seed):
    numbers = random.Random(seed)
    left.append(seed)
    for n in (5, 40, 150, 300, 300, 150):
        code = generate(n, numbers)
        check(code, numbers)
        check(code.replace(co_firstlineno=1000), numbers)
        check(code.replace(co_linetable=table(numbers.randrange(900), numbers)), numbers)
        check(code, numbers)
    check_mixtures(code, numbers)
    left.remove(seed)


left = []
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if left:
    raise SystemExit("failed")
if sys.argv[1:] == ["hooked"] and not is_hooked():
    raise SystemExit("not hooked")
