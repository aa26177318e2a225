"""A hundred threads, of which RUNNING compute and the others wait, until the end of the standard input or SECONDS."""
import sys
import threading
import time

RUNNING, END = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])


def wait(depth, event):
    return wait(depth - 1, event) if depth else event.wait()


def compute(depth):
    if depth:
        return compute(depth - 1)
    while time.monotonic() < END:
        sum(range(1000))
    return None


event = threading.Event()
for i in range(100):
    args = (compute, (8,)) if i < RUNNING else (wait, (6, event))
    threading.Thread(target=args[0], args=args[1] if args[0] is compute else (6, event), daemon=True).start()
print("ready", flush=True)
time.sleep(max(0, END - time.monotonic()))
