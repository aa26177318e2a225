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


class Leaving:
    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        if self.kind is KeyError:
            raise self.kind  # hit

    def __exit__(self, *args):
        if not args[0]:
            raise self.kind  # hit

    async def __aenter__(self):
        pass

    async def __aexit__(self, *args):
        raise self.kind  # hit


def leaving(kind):
    with contextlib.nullcontext(), Leaving(kind):
        try:
            x = 1  # hit
        except ValueError as e:
            raise SystemExit(e)  # miss


def leaving_later(kind):
    with contextlib.nullcontext():
        with contextlib.nullcontext(), Leaving(kind):
            try:
                x = 1  # hit
            except ValueError as e:
                raise SystemExit(e)  # miss


def entering(kind):
    with contextlib.nullcontext(), Leaving(kind):
        try:
            x = 1  # miss
        except ValueError as e:
            raise SystemExit(e)  # miss


def entering_later(kind):
    y = 1  # hit
    with contextlib.nullcontext(y), Leaving(kind):
        try:
            x = 1  # miss
        except ValueError as e:
            raise SystemExit(e)  # as coverage.py has it


def yielding():
    with contextlib.nullcontext():
        try:
            x = 1  # hit
        except ValueError as e:
            raise SystemExit(e)
        finally:
            yield x  # hit


def again(kind):
    try:
        list([kind()])
        raise kind  # hit
    except OSError as e:
        if e.args is not None:
            raise  # hit
        return 1  # miss


def again_and_finally(kind):
    x = 0
    try:
        try:
            x += 1
            raise kind  # hit
        except LookupError:
            print("no")  # miss
        except OSError:
            x += 1
            raise  # hit
    finally:
        x = 2  # as coverage.py has it


def not_matched_and_finally(kind):
    x = 0
    try:
        try:
            x += 1
            raise kind  # hit
        except LookupError:
            print("no")  # miss
        x = 2  # miss
    finally:
        x = 3  # hit


def one_finally(kind):
    x = 0
    try:
        x += 1
        raise kind
    except OSError:
        x += 1
        raise  # hit
    finally:
        x = 2  # as coverage.py has it


async def leaving_async(kind):
    async with Leaving(kind):
        try:
            x = 1  # hit
        except ValueError as e:
            raise SystemExit(e)  # miss


for _ in range(3):
    for f in one, two, nested, leaving, leaving_later, again, again_and_finally, not_matched_and_finally, one_finally:
        with contextlib.suppress(OSError):
            f(OSError)
            print("no")
    with contextlib.suppress(OSError):
        list(generator(OSError))
    with contextlib.suppress(OSError):
        recursive(3, OSError)
    with contextlib.suppress(OSError):
        coroutine(OSError).send(None)
    with contextlib.suppress(OSError):
        leaving_async(OSError).send(None)
    with contextlib.suppress(KeyError):
        entering(KeyError)
    with contextlib.suppress(KeyError):
        entering_later(KeyError)
    with contextlib.suppress(OSError):
        g = yielding()
        next(g)
        g.throw(OSError)
for kind in OSError, OSError, KeyError, OSError:
    first_not_then_yes(kind)
