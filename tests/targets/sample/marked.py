"""Spins, as its forked child does, until its standard input ends."""

import os  # hit
import select  # hit


def spins():  # hit
    for _ in range(20000):  # hit
        pass  # hit


def spins_below():  # hit
    for _ in range(20000):  # hit
        pass  # hit


def never():  # hit
    return None  # miss


child = os.fork()  # hit
if child:  # hit
    print("ready", flush=True)  # hit
while not select.select([0], [], [], 0)[0]:  # hit
    spins() if child else spins_below()  # hit
if not child:  # hit
    os._exit(0)  # hit
os.waitpid(child, 0)  # hit
