"""Threads that wait in all kinds of frames. Says, as JSON, what sys._current_frames() has of each, innermost first.

The main thread says it and waits in the same line.
"""

import _thread
import asyncio
import functools
import json
import os
import sys
import threading
import time

entered, uncalled_ids, leave = [], [], threading.Lock()
leave.acquire()


def wait():
    return entered.append(None), leave.acquire()  # in one line, which it is in from the first of them on


class Klass:
    def method(self, depth):
        if depth:
            return self.method(depth - 1)
        return [wait() for _ in range(1)]

    @property
    def attribute(self):
        return wait()

    def __getitem__(self, key):
        return functools.reduce(lambda a, b: wait(), [1, 2])


def generator():
    yield from inner_generator()


def inner_generator():
    yield wait()


async def coroutine():
    await other_coroutine()


async def other_coroutine():
    async for _ in async_generator():
        pass


async def async_generator():
    yield wait()


def uncalled():
    """A generator that C code alone resumes: its frame is the outermost one."""
    uncalled_ids.append((threading.get_ident(), threading.get_native_id()))
    yield wait()


def recursion(n):
    return recursion(n - 1) if n else wait()


def long_function():
    x = 0
    exec("".join(f"x = {i}\n" for i in range(3000)) + "wait()\n", globals())
    return x


def raising():
    try:
        raise KeyError
    except KeyError:
        try:
            wait()
        finally:
            pass


TARGETS = [
    wait,
    lambda: Klass().method(3),
    lambda: Klass().attribute,
    lambda: Klass()[0],
    lambda: list(generator()),
    lambda: asyncio.run(coroutine()),
    lambda: recursion(500),
    long_function,
    raising,
    lambda: sorted([1, 2], key=lambda x: wait()),
]


def qualname(code):
    return getattr(code, "co_qualname", code.co_name)


def describe(frame):
    stack = []
    while frame:
        stack.append([qualname(frame.f_code), frame.f_code.co_filename, frame.f_lineno or 0])
        frame = frame.f_back
    return stack


def main():
    threads = [threading.Thread(target=f, daemon=True) for f in TARGETS]
    for thread in threads:
        thread.start()
    _thread.start_new_thread(uncalled().__next__, ())
    while len(entered) < len(TARGETS) + 1:
        time.sleep(0.001)
    names = dict(uncalled_ids + [(t.ident, t.native_id) for t in threading.enumerate()])
    stop = frames = None
    while stop is None:
        frames = {names[i]: describe(f) for i, f in sys._current_frames().items()}
        stop = say_and_wait(frames)


def say_and_wait(frames):
    own = {os.getpid(): describe(sys._getframe())}
    return (print(json.dumps({**frames, **own}), flush=True), sys.stdin.readline(), None)[2]


main()
