"""Generators and coroutines: the interpreter looks at their bytecode when they are thrown into, closed or awaited."""
import asyncio
import contextlib
import inspect
import types


def inner(log):
    try:
        got = yield 1
        log.append(("sent", got))
        yield 2
    except ValueError as error:
        log.append(("caught", str(error)))
        yield 3
    finally:
        log.append("inner finally")


def outer(log):
    result = yield from inner(log)
    log.append(("result", result))
    return "done"


def check_yield_from():
    log = []
    gen = outer(log)
    assert gen.gi_yieldfrom is None
    assert next(gen) == 1
    assert inspect.isgenerator(gen.gi_yieldfrom)
    assert gen.gi_yieldfrom.gi_code is inner.__code__
    assert gen.send("x") == 2
    assert gen.throw(ValueError("v")) == 3
    gen.close()
    assert log == [("sent", "x"), ("caught", "v"), "inner finally"], log

    log = []
    gen = outer(log)
    assert list(gen) == [1, 2]
    assert log == [("sent", None), "inner finally", ("result", None)], log


def check_never_started():
    log = []
    gen = outer(log)
    gen.close()
    gen = outer(log)
    try:
        gen.throw(KeyError("k"))
    except KeyError:
        log.append("thrown")
    assert log == ["thrown"]


@types.coroutine
def old_style(value):
    got = yield value
    return got


async def new_style():
    a = await old_style(1)
    b = await old_style(
        2)
    return a + b


def check_types_coroutine():
    coro = new_style()
    assert coro.cr_await is None
    assert coro.send(None) == 1
    assert coro.cr_await is not None
    assert coro.send(10) == 2
    try:
        coro.send(20)
    except StopIteration as stop:
        assert stop.value == 30
    else:
        raise AssertionError
    assert not inspect.iscoroutinefunction(old_style)
    assert old_style.__code__.co_flags & 0x100


async def agen(n):
    for i in range(n):
        try:
            yield i
        finally:
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def manager(log):
    log.append("enter")
    try:
        yield "value"
    finally:
        log.append("exit")


async def main():
    log = []
    async with manager(log) as value:
        log.append(value)
    seen = [i async for i in agen(3)]
    async for i in agen(5):
        if i == 2:
            break
    results = await asyncio.gather(*(asyncio.sleep(0, i) for i in range(5)))
    task = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        log.append("cancelled")
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except asyncio.TimeoutError:
        log.append("timeout")
    return log, seen, results


check_yield_from()
check_never_started()
check_types_coroutine()
assert asyncio.run(main()) == (["enter", "value", "exit", "cancelled", "timeout"], [0, 1, 2], [0, 1, 2, 3, 4])
print("OK")
