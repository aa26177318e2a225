import asyncio


async def numbers(n):
    for i in range(n):
        yield i


class Manager:
    async def __aenter__(self):
        await asyncio.sleep(0)

    async def __aexit__(self, *error):
        return False


async def plain():
    async for i in numbers(2):
        a = i
    return a


async def last():
    async for i in numbers(2):
        a = i


async def empty():
    async for i in numbers(0):
        a = i
    return 1


async def broken():
    async for i in numbers(5):
        if i == 1:
            break
    return i


async def other():
    async for i in numbers(2):
        if i == 5:
            break
    else:
        i = 7
    return i


async def managed(n):
    async with Manager():
        if n:
            return 1
    async with Manager() as a, Manager() as b:
        n = 2
    return n


async def comprehension():
    a = [i async for i in numbers(3) if i]
    return {i: 1 async for i in numbers(3)}


async def not_first(n):
    a = 0
    async for i in numbers(n):
        a = i
    if n:
        a = 1
    async for i in numbers(
        n
    ):
        if i:
            a = 2
    return a


async def within(n):
    a = 0
    for j in range(2):
        async for i in numbers(j):
            if n:
                a = 3
        if a:
            async for i in numbers(n):
                a = 4
    try:
        async with Manager():
            async for i in numbers(n):
                if i:
                    break
            else:
                a = 5
    finally:
        a = 6


async def main():
    await not_first(0)
    await within(0)
    await within(1)
    await plain()
    await last()
    await empty()
    await broken()
    await other()
    await managed(0)
    await comprehension()
    if await plain():
        return 1
    while await broken():
        break


asyncio.run(main())
