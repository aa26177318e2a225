"""Tasks of asyncio that wait in every way there is, and one that spins; ends with its standard input.

A comment behind a line says which tasks are at it, and how far from the innermost frame of Python that is theirs.
"""

import asyncio
import sys
import threading


async def leaf(future):
    await future  # direct 0, nested 0, generator 0, awaitable 0, gathered 0, waited 0, shielded 0, timed 0, grouped 0


async def nested(future):
    await leaf(future)  # nested 1


async def produces(future):
    await leaf(future)  # generator 1
    yield 1


async def generator(future):
    async for _ in produces(future):  # generator 2
        pass


class Awaitable:
    def __init__(self, future):
        self.future = future

    def __await__(self):
        return (yield from leaf(self.future).__await__())  # awaitable 1


async def awaitable(future):
    await Awaitable(future)  # awaitable 2


def spins():
    while not over:  # spinner 0
        for _ in range(1000):  # spinner 0
            pass  # spinner 0


async def spinner(begun):
    await asyncio.sleep(0)
    begun()
    spins()  # spinner 1


async def waits_for(task):
    await task  # waiter 0, second 0


async def waiter(task):
    await waits_for(task)  # waiter 1, second 1


def begin(future, name):
    return asyncio.create_task(leaf(future), name=name)


async def gathers(future):
    await asyncio.gather(begin(future, "gathered"))  # gathers 0


async def waits(future):
    await asyncio.wait([begin(future, "waited")])  # waits 0


async def shields(future):
    await asyncio.shield(begin(future, "shielded"))  # shields 0


async def times(future):
    await asyncio.wait_for(begin(future, "timed"), 1000)  # times 0


async def groups(future):
    async with asyncio.TaskGroup() as group:  # groups 0
        group.create_task(leaf(future), name="grouped")


async def ended():
    pass


def reads():
    sys.stdin.read()
    over.append(True)


def begun():
    print("ready", flush=True)


async def main():
    future = asyncio.get_running_loop().create_future()
    coroutines = {"direct": leaf, "nested": nested, "generator": generator, "awaitable": awaitable, "gathers": gathers,
                  "waits": waits, "shields": shields, "times": times}
    if hasattr(asyncio, "TaskGroup"):  # from 3.11 on
        coroutines["groups"] = groups
    tasks = [asyncio.create_task(function(future), name=name) for name, function in coroutines.items()]
    over_at_once = asyncio.create_task(ended(), name="ended")
    await asyncio.sleep(0)
    await over_at_once
    for _ in range(3):
        await asyncio.sleep(0)
    last = asyncio.create_task(spinner(begun), name="spinner")
    first = asyncio.create_task(waiter(last), name="waiter")
    tasks += [last, first, asyncio.create_task(waiter(first), name="second")]
    asyncio.current_task().set_name("main")
    await tasks[-1]  # main 0
    future.set_result(None)
    await asyncio.gather(*tasks)


over = []
threading.Thread(target=reads).start()
asyncio.run(main())
