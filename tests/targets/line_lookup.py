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


def work(seed):
    numbers = random.Random(seed)
    left.append(seed)
    for n in (5, 40, 150, 300, 300, 150):
        code = generate(n, numbers)
        check(code, numbers)
        check(code.replace(co_firstlineno=1000), numbers)
        check(code.replace(co_linetable=table(numbers.randrange(900), numbers)), numbers)
        check(code, numbers)
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
