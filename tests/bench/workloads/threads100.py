"""A hundred threads, of which RUNNING compute and the others wait, for SECONDS after it has said that it is ready."""
import sys
import threading
import time

RUNNING, SECONDS = int(sys.argv[1]), float(sys.argv[2])


def wait(depth, event):
    return wait(depth - 1, event) if depth else event.wait()


def compute(depth):
    if depth:
        return compute(depth - 1)
    begin.wait()
    while True:
        sum(range(1000))


begin, forever = threading.Event(), threading.Event()
for i in range(100):
    thread = threading.Thread(target=compute, args=(8,)) if i < RUNNING else threading.Thread(target=wait, args=(6, forever))
    thread.daemon = True
    thread.start()
print("ready", flush=True)
begin.set()
time.sleep(SECONDS)
