"""A function with local variables of all kinds. Says, as JSON, what repr() says of each, and waits there."""

import json
import sys


class Thing:
    pass


def function(positional, *args, keyword="ключ", **kwargs):
    none, true, false = None, True, False
    zero, one, negative, big, huge = 0, 1, -(2**31), 2**100 + 12345678901234567890, -(10**300)
    small, large, tiny, whole, infinite, nan = 0.1, 1.5e300, 5e-324, 3.0, float("inf"), float("nan")
    empty, text, wide, escaped = "", "abc", "añ\u20ac\U0001f600", "a'b\\c\n\t\x01"
    raw = b"a\x00'\xff"
    items, nested, alone = [1, "two", None], [[1, [2]], (3, 4)], (5,)
    mapping, numbers, nothing = {"a": 1, "b": [2]}, {1: 2, None: True}, {}
    single, none_in_it = {7}, set()
    captured = 42
    shown = dict(locals())
    shown.pop("shown_too", None)
    inner = lambda: captured  # noqa: E731
    print(json.dumps({name: repr(value) for name, value in shown.items()}), flush=True)
    sys.stdin.readline()
    return inner, Thing


function((1, 2), "extra", "more", other=[1.5])
