# An exception that no `except` matches passes the handlers around, which have no line of their own.
import contextlib


def one(kind):
    with contextlib.nullcontext():
        try:
            raise kind  # hit
        except KeyError:
            raise LookupError  # miss
        except ValueError as e:
            raise SystemExit(e)  # miss


def two(kind):
    with contextlib.nullcontext():
        with contextlib.nullcontext(), contextlib.nullcontext():
            for i in range(3):
                try:
                    if i:
                        raise kind  # hit
                except KeyError:
                    raise LookupError  # miss


def nested(kind):
    with contextlib.nullcontext():
        try:
            try:
                raise kind  # hit
            except KeyError:
                print("no")  # miss
        except ValueError:
            print("no")  # miss


def first_not_then_yes(kind):
    with contextlib.suppress(OSError):
        try:
            raise kind
        except KeyError:
            print("now")  # hit
    return 1  # hit


def generator(kind):
    with contextlib.nullcontext():
        try:
            yield 1
            raise kind  # hit
        except KeyError:
            print("no")  # miss


def recursive(n, kind):
    with contextlib.nullcontext():
        try:
            if n:
                recursive(n - 1, kind)
            raise kind  # hit
        except KeyError:
            print("no")  # miss


async def coroutine(kind):
    async with contextlib.AsyncExitStack():
        try:
            raise kind  # hit
        except KeyError:
            print("no")  # miss


for _ in range(3):
    for f in one, two, nested:
        with contextlib.suppress(OSError):
            f(OSError)
            print("no")
    with contextlib.suppress(OSError):
        list(generator(OSError))
    with contextlib.suppress(OSError):
        recursive(3, OSError)
    with contextlib.suppress(OSError):
        coroutine(OSError).send(None)
for kind in OSError, OSError, KeyError, OSError:
    first_not_then_yes(kind)
