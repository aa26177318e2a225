"""Lies to whoever reads it: a second interpreter that is not there, whose memory changes all the time and points at
itself, at real objects, at code, and nowhere; and a running function whose code object changes its names and lines."""

import ctypes
import random
import struct
import sys
import threading

NEXT = {8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 7264, 14: 7272, 15: 7264}[sys.version_info[1]]
CODE = {8: (40, 104, 112, 120), 9: (40, 104, 112, 120), 10: (40, 104, 112, 120), 11: (72, 112, 120, 136),
        12: (68, 112, 120, 136), 13: (68, 112, 120, 136), 14: (68, 112, 120, 136), 15: (68, 112, 120, 136)}
SIZE = 1 << 16
api = ctypes.pythonapi
api.PyInterpreterState_Head.restype = ctypes.c_void_p
api.PyThreadState_Get.restype = ctypes.c_void_p


def victim():
    while True:
        inner()


def inner():
    return [x for x in range(3)]


def words(base):
    real = [id(victim.__code__), id(None), id(type), id(sys.modules), id(""), api.PyThreadState_Get(),
            api.PyInterpreterState_Head(), ctypes.cast(api.PyObject_Repr, ctypes.c_void_p).value]
    kinds = [
        lambda: base + random.randrange(0, SIZE, 8),
        lambda: base + random.randrange(SIZE),
        lambda: random.choice(real),
        lambda: random.getrandbits(64),
        lambda: 2**63 - random.randrange(64),
        lambda: random.randrange(64),
        lambda: 0,
    ]
    return [random.choice(kinds)() for _ in range(SIZE // 8)]


def lie():
    memory = ctypes.create_string_buffer(SIZE + 8)
    base = (ctypes.addressof(memory) + 7) & ~7
    pages = [struct.pack(f"{SIZE // 8}Q", *words(base)) for _ in range(8)]
    ctypes.memmove(base, pages[0], SIZE)
    ctypes.c_void_p.from_address(api.PyInterpreterState_Head() + NEXT).value = base
    line, *pointers = (id(inner.__code__) + at for at in CODE[sys.version_info[1]])
    true = [ctypes.c_uint64.from_address(at).value for at in pointers]
    print("ready", flush=True)
    while True:
        ctypes.memmove(base, random.choice(pages), SIZE)
        ctypes.c_int32.from_address(line).value = random.randrange(-2**31, 2**31)
        for at, truth in zip(pointers, true):
            value = random.choice([truth, base + random.randrange(0, SIZE, 8), random.getrandbits(47), 8])
            ctypes.c_uint64.from_address(at).value = value


threading.Thread(target=victim, daemon=True).start()
lie()
