"""Runs one function for each line that it reads, and answers it: sys.argv[1] is "busy" for a thread that computes, or a
number of threads that sleep."""
import os
import sys
import threading
import time


def one():
    return 1  # one


def two():
    return 2  # two


def three():
    return 3  # three


def fork():
    pid = os.fork()
    if not pid:
        child = 1  # fork
        os._exit(child)
    return os.waitpid(pid, 0)[1] >> 8


def execute():
    os.execv(sys.executable, [sys.executable, *sys.argv])


def compute():
    x = 0
    while True:
        x = (x + 1) % 1000003


def forks():
    """All the time."""
    while True:
        pid = os.fork()
        if not pid:
            os._exit(one() + two())
        status = os.waitpid(pid, 0)[1]
        if status != 3 << 8:
            print("a child ended with", hex(status), flush=True)


def sleep():
    while True:
        time.sleep(0.2)


def main():
    kind = sys.argv[1]
    for _ in range(int(kind) if kind.isdigit() else 1):
        threading.Thread(target={"busy": compute, "forks": forks}.get(kind, sleep), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        print(globals()[line.strip()](), flush=True)
    os._exit(6)


main()
