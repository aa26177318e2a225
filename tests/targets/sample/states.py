"""A thread that spins, one that waits, and one that computes without the GIL now and then; ends with its standard input."""

import hashlib
import sys
import threading
import time


def spins():
    while True:
        for _ in range(1000):
            pass  # SPINS


def waits():
    threading.Event().wait()


def sleeps():
    while True:
        time.sleep(0.001)


for function in (spins, waits, sleeps):
    threading.Thread(target=function, daemon=True, name=function.__name__).start()
print("ready", flush=True)
sys.stdin.read()
