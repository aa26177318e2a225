import contextlib
import functools


class Bad:
    def __eq__(self, other):
        raise KeyError("eq")  # hit

    def __hash__(self):
        return 1  # hit

    def __lt__(self, other):
        raise ValueError("lt")  # hit


def key(v):
    if v == 2:  # hit
        raise IndexError("key")  # hit
    return v  # hit


for action in (
    lambda: sorted([1, 2, 3], key=key),
    lambda: sorted([Bad(), Bad()]),
    lambda: Bad() in [1],
    lambda: {Bad(): 1}[Bad()],
    lambda: functools.reduce(lambda a, b: a / b, [1, 0]),
    lambda: list(map(key, [2])),
    lambda: max([1, 2], key=key),
    lambda: int("x"),
):
    try:
        action()
        print("fine")  # miss
    except Exception as e:
        print(type(e).__name__, e)  # hit


def nested():
    try:
        try:
            raise KeyError  # hit
        finally:
            print("inner")  # hit
    except KeyError as e:
        try:
            raise ValueError from e  # hit
        except ValueError:
            print("value")  # hit
        else:
            print("else")  # miss
    return 1  # hit


nested()


def returns_in_finally():
    for i in range(2):
        try:
            continue  # hit
        finally:
            print("f", i)  # hit
    try:
        return 1  # hit
    finally:
        print("last")  # hit


returns_in_finally()


@contextlib.contextmanager
def manager():
    try:
        yield 1  # hit
    except RuntimeError:
        print("swallowed")  # hit
    finally:
        print("exit")  # hit


with manager():
    raise RuntimeError  # hit
with contextlib.suppress(KeyError):
    {}[1]  # hit
    print("no")


def propagates():
    raise OSError  # hit
    return 1  # miss


def middle():
    propagates()  # hit
    print("no")  # miss


try:
    middle()
except OSError:
    pass  # hit


class Iter:
    def __iter__(self):
        return self  # hit

    def __next__(self):
        raise StopIteration  # hit


print(list(Iter()))
try:
    raise SystemExit(3)  # hit
except SystemExit as e:
    print(e.code)  # hit
