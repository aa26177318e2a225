"""A stack of ten functions, the innermost of which computes, for so many seconds; prints how far it came."""
import sys
import time


def leaf(n):
    total = 0
    for i in range(n):
        total += i
    return total


def down(depth):
    global rounds
    if depth:
        return down(depth - 1)
    while time.process_time() < end:
        leaf(1000)
        rounds += 1
    return None


rounds, end = 0, time.process_time() + float(sys.argv[1])
print("ready", flush=True)
down(8)
print(rounds, flush=True)
