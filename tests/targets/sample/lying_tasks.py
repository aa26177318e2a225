"""Tasks, coroutines and sets of asyncio whose memory changes all the time: pointers at each other, at real objects, into
nowhere. Their loop sleeps, and nobody of Python's own looks at them; ends by being killed."""

import asyncio
import ctypes
import gc
import random
import struct
import threading
import time


async def waits(future):
    await future


async def nested(future):
    await waits(future)


async def main():
    future = asyncio.get_running_loop().create_future()
    tasks.extend(asyncio.ensure_future(nested(future)) for _ in range(20))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    is_ready.set()
    await future


def words_of(thing, skip=2):
    """Where the words of an object are that may be changed: not its references and type."""
    size = type(thing).__basicsize__
    return [id(thing) + 8 * i for i in range(skip, size // 8)]


def lie():
    coroutines = [task.get_coro() for task in tasks]
    things = tasks + coroutines
    places = [at for thing in things for at in words_of(thing)]
    for name in ("_all_tasks", "_scheduled_tasks"):
        found = getattr(asyncio.tasks, name, None)
        if found is not None and hasattr(found, "data"):
            places += words_of(found.data)
    if hasattr(asyncio.tasks, "_current_tasks"):
        places += words_of(asyncio.tasks._current_tasks, skip=4)
    true = {at: ctypes.c_uint64.from_address(at).value for at in places}
    real = [id(thing) for thing in things] + [id(None), id(type), id(""), id(tasks), id(1.5)]
    kinds = [
        lambda at: true[at],
        lambda at: true[at],
        lambda at: random.choice(real),
        lambda at: random.choice(places),
        lambda at: random.getrandbits(64),
        lambda at: true[at] + random.choice([-8, 1, 8]) & 2**64 - 1,
        lambda at: 2**63 - random.randrange(64),
        lambda at: random.randrange(64),
    ]
    values = {at: [struct.pack("Q", random.choice(kinds)(at)) for _ in range(32)] for at in places}
    print("ready", flush=True)
    while True:
        for _ in range(10000):
            at = random.choice(places)
            ctypes.memmove(at, random.choice(values[at]), 8)
        for at, value in true.items():
            ctypes.memmove(at, struct.pack("Q", value), 8)
        time.sleep(0.001)


gc.disable()
tasks, is_ready = [], threading.Event()
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
is_ready.wait()
time.sleep(0.1)
lie()
