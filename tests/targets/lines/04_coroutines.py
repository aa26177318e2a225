import asyncio
import types


async def leaf(n):
    await asyncio.sleep(0)  # hit
    return n  # hit


async def agen():
    for i in range(3):  # hit
        yield i  # hit
        await asyncio.sleep(0)  # hit
    print("agen ends")  # hit


class Manager:
    async def __aenter__(self):
        return self  # hit

    async def __aexit__(self, *exc):
        await leaf(0)  # hit
        return True  # hit


async def cancelled():
    try:
        await asyncio.sleep(1000)  # hit
        print("not reached")  # miss
    except asyncio.CancelledError:
        print("cancelled")  # hit
        raise  # hit


async def main():
    print(await leaf(1))  # hit
    async for i in agen():  # hit
        print(i)  # hit
    async with Manager() as m:  # hit
        raise ValueError  # hit
    print([i async for i in agen()])  # hit
    print(await asyncio.gather(*(leaf(i) for i in range(5))))  # hit
    task = asyncio.ensure_future(cancelled())
    await asyncio.sleep(0)
    task.cancel()  # hit
    try:
        await task  # hit
    except asyncio.CancelledError:
        print("caught")  # hit
    g = agen()
    await g.__anext__()
    await g.aclose()  # hit
    g = agen()
    await g.asend(None)
    try:
        await g.athrow(KeyError)  # hit
    except KeyError:
        print("key")  # hit
    print(await old_style())  # hit


@types.coroutine
def old_style():
    yield from leaf(9).__await__()  # hit
    return "old"  # hit


async def never():
    return 1  # miss


asyncio.run(main())
c = never()
c.close()
