"""Threads in 36 blocking calls, made by ctypes without the GIL: a line for each that returns while we run.

sys.argv is a folder, and "busy" if one more thread is to run Python code all the time. One thread more reads what is
written to the fifo `food` in that folder, and says so. It ends with its standard input.
"""
import ctypes
import fcntl
import os
import select
import socket
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
syscall = libc.syscall
syscall.restype = ctypes.c_long
LONG = 3600
FOREVER = (ctypes.c_long * 2)(LONG, 0)
NEVER = 1 << 30  # milliseconds, or microseconds
begun, stop, keep = [], False, []
lock = threading.Lock()


def pipe():
    fds = os.pipe()
    keep.append(fds)
    return fds


def full_pipe():
    r, w = pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(w, True)
    return w


def buffer(data=b"", size=4096):
    b = ctypes.create_string_buffer(data, max(size, len(data) + 1))
    keep.append(b)
    return b


def longs(*values):
    a = (ctypes.c_long * len(values))(*values)
    keep.append(a)
    return a


def epoll():
    fd = os.eventfd(0) if hasattr(os, "eventfd") else pipe()[0]
    e = select.epoll()
    e.register(fd, select.EPOLLIN)
    keep.append(e)
    return e.fileno()


def udp(timeout=0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    keep.append(s)
    if timeout:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(longs(LONG, 0)))
    return s.fileno()


def listener():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind(("127.0.0.1", 0))
    s.listen(1)
    keep.append(s)
    return s.fileno()


def full_socket(timeout=0):
    a, b = socket.socketpair()
    a.setblocking(False)
    try:
        while True:
            a.send(b"x" * 65536)
    except BlockingIOError:
        a.setblocking(True)
    if timeout:
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bytes(longs(LONG, 0)))
    keep.append((a, b))
    return a.fileno()


def poll_of(fd):
    return buffer(fd.to_bytes(4, "little") + b"\1\0\0\0")


def set_of(fd):
    bits = bytearray(128)
    bits[fd // 8] |= 1 << fd % 8
    return buffer(bytes(bits))


def semaphore():
    n = libc.semget(0, 1, 0o1600)
    keep.append(Kept(lambda: libc.semctl(n, 0, 0)))
    return n


def queue():
    n = libc.msgget(0, 0o1600)
    keep.append(Kept(lambda: libc.msgctl(n, 0, None)))
    return n


class Kept:
    """What lives on if it is not removed."""

    def __init__(self, remove):
        self.remove = remove


def file_locked_by_another(kind):
    path = sys.argv[1] + "/" + kind
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    r, w = pipe()
    child = os.fork()
    if not child:
        os.close(blocked_w)
        mine = os.open(path, os.O_RDWR)
        (fcntl.flock if kind == "flock" else fcntl.lockf)(mine, fcntl.LOCK_EX)
        os.write(w, b"x")
        os.read(blocked_r, 1)
        os._exit(0)
    os.read(r, 1)
    return fd


def sleeping_child():
    child = os.fork()
    if not child:
        os.close(blocked_w)
        os.read(blocked_r, 1)
        os._exit(0)
    return child


def aio():
    context = longs(0)
    return context[0] if syscall(206, 8, context) == 0 else None


def io_uring():
    parameters = buffer(size=120)
    return syscall(425, 4, parameters)


def pidfd(child):
    return syscall(434, child, 0)


def message():
    return longs(0, 0, ctypes.addressof(longs(ctypes.addressof(buffer()), 4096)), 1, 0, 0, 0)


blocked_r, blocked_w = os.pipe()
word = longs(0)
signals = longs(1 << 11)  # SIGUSR2
CALLS = {
    "epoll_wait": lambda: (232, epoll(), buffer(), 8, NEVER),
    "epoll_wait without end": lambda: (232, epoll(), buffer(), 8, -1),
    "epoll_pwait": lambda: (281, epoll(), buffer(), 8, NEVER, None, 8),
    "epoll_pwait2": lambda: (441, epoll(), buffer(), 8, FOREVER, None, 8),
    "poll": lambda: (7, poll_of(pipe()[0]), 1, NEVER),
    "poll without end": lambda: (7, poll_of(pipe()[0]), 1, -1),
    "ppoll": lambda: (271, poll_of(pipe()[0]), 1, longs(LONG, 0), None, 8),
    "select": lambda: (23, 1024, set_of(pipe()[0]), None, None, longs(LONG, 0)),
    "pselect6": lambda: (270, 1024, set_of(pipe()[0]), None, None, longs(LONG, 0), None),
    "nanosleep": lambda: (35, FOREVER, longs(0, 0)),
    "clock_nanosleep": lambda: (230, 1, 0, FOREVER, longs(0, 0)),
    "futex": lambda: (202, word, 0, 0, None, None, 0),
    "futex with a limit": lambda: (202, word, 0, 0, FOREVER, None, 0),
    "read of a pipe": lambda: (0, pipe()[0], buffer(), 1),
    "readv of a pipe": lambda: (19, pipe()[0], longs(ctypes.addressof(buffer()), 1), 1),
    "write to a full pipe": lambda: (1, full_pipe(), buffer(), 4096),
    "read of an eventfd": lambda: (0, syscall(290, 0, 0), buffer(), 8),
    "recvfrom": lambda: (45, udp(), buffer(), 10, 0, None, None),
    "recvfrom with a limit": lambda: (45, udp(1), buffer(), 10, 0, None, None),
    "recvmsg with a limit": lambda: (47, udp(1), message(), 0),
    "accept": lambda: (43, listener(), None, None),
    "accept4": lambda: (288, listener(), None, None, 0),
    "sendto": lambda: (44, full_socket(), buffer(), 4096, 0, None, 0),
    "sendto with a limit": lambda: (44, full_socket(1), buffer(), 4096, 0, None, 0),
    "semop": lambda: (65, semaphore(), buffer(b"\0\0\xff\xff\0\0"), 1),
    "semtimedop": lambda: (220, semaphore(), buffer(b"\0\0\xff\xff\0\0"), 1, FOREVER),
    "msgrcv": lambda: (70, queue(), buffer(), 16, 0, 0),
    "rt_sigtimedwait": lambda: (128, signals, None, FOREVER, 8),
    "rt_sigtimedwait without end": lambda: (128, signals, None, None, 8),
    "wait4": lambda: (61, sleeping_child(), None, 0, None),
    "waitid": lambda: (247, 1, sleeping_child(), buffer(), 4, None),
    "flock": lambda: (73, file_locked_by_another("flock"), 2),
    "fcntl": lambda: (72, file_locked_by_another("fcntl"), 7, buffer(b"\1\0\0\0\0\0\0\0")),
    "io_getevents": lambda: (208, aio(), 1, 1, buffer(), FOREVER),
    "io_uring_enter": lambda: (426, io_uring(), 0, 1, 1, None, 8),
    "poll of a process": lambda: (7, poll_of(pidfd(os.getppid())), 1, NEVER),
}


def call(name, number, arguments):
    tid = syscall(186)
    with lock:
        begun.append((tid, number, name))
    ctypes.set_errno(0)
    result = syscall(number, *[a if a is None or not isinstance(a, int) else ctypes.c_long(a) for a in arguments])
    error = ctypes.get_errno()
    if not stop:
        print(f"{name} returned {result}, {os.strerror(error)}", flush=True)


def fed():
    fd, b = os.open(sys.argv[1] + "/food", os.O_RDWR), buffer()
    while True:  # hit or not
        n = syscall(0, fd, b, 4096)  # hit
        took(n)  # hit


def took(n):
    print("took", n, flush=True)  # hit


def busy():
    x = 0
    while not stop:
        x += 1
        if x % 1000 == 0:
            time.sleep(0.001)


def main():
    global stop
    prepared = {name: f() for name, f in CALLS.items()}
    prepared = {name: p for name, p in prepared.items() if p[1] is not None and not (isinstance(p[1], int) and p[1] < 0)}
    os.mkfifo(sys.argv[1] + "/food")
    threading.Thread(target=fed, daemon=True).start()
    if sys.argv[2] == "busy":
        threading.Thread(target=busy, daemon=True).start()
    for name, (number, *arguments) in prepared.items():
        threading.Thread(target=call, args=(name, number, arguments), daemon=True).start()
    waiting = set()
    while len(waiting) < len(prepared):
        time.sleep(0.01)
        for tid, number, name in list(begun):
            try:
                if open(f"/proc/self/task/{tid}/syscall").read().split()[0] == str(number):
                    waiting.add(name)
            except OSError:
                pass
    print("ready", len(prepared), flush=True)
    sys.stdin.read()
    stop = True
    for kept in keep:
        if isinstance(kept, Kept):
            kept.remove()
    os._exit(3)


main()
