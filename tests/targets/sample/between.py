"""Compiled code and Python call each other, through ctypes, in an order that is known; ends with its standard input.

The first thread: outer -> libc's qsort() -> compare -> sorted() -> key. A thread that C made: libc's start of threads ->
called -> qsort() -> compare -> sorted() -> key. A thread that has no Python: it sleeps in libc.
"""

import ctypes
import select
import sys

libc = ctypes.CDLL(None)
values = (ctypes.c_int * 200)(*range(200, 0, -1))
is_done = False


def key(x):
    for _ in range(50):
        pass
    return -x


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
def compare(a, b):
    sorted(range(20), key=key)
    return a[0] - b[0]


def outer():
    libc.qsort(values, 200, 4, compare)


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def called(_):
    while not is_done:
        outer()
    return 0


def start(function, argument):
    thread = ctypes.c_ulong()
    if ctypes.CDLL("libpthread.so.0").pthread_create(ctypes.byref(thread), None, function, argument):
        sys.exit("no thread")


start(called, None)
start(libc.sleep, ctypes.c_void_p(1000))
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    outer()
is_done = True
