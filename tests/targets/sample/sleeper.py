"""A thread that waits in here(), and after a line of standard input in there(), until the end of that; others wait forever.

With `compiled`, C code without the GIL waits for the line, in scans(), and then computes on, without any Python between.
"""

import ctypes
import subprocess
import sys
import threading
import time

AFTER_THE_LINE = "read line; exec head -c 100000000 /dev/zero"

leave = threading.Event()
forever = threading.Event()


def here():
    leave.wait()


def there():
    print("there", flush=True)
    forever.wait()


def both():
    here()
    there()


def scans(libc, file):
    libc.fscanf(file, b"%*[^x]")


def wait_in_compiled_code():
    libc = ctypes.CDLL(None)
    libc.fdopen.restype = ctypes.c_void_p
    with subprocess.Popen(["sh", "-c", AFTER_THE_LINE], stdout=subprocess.PIPE) as child:
        thread = threading.Thread(target=scans, args=(libc, ctypes.c_void_p(libc.fdopen(child.stdout.fileno(), b"r"))))
        thread.start()
        print("ready", flush=True)
        child.wait()
        thread.join()
    print("there", flush=True)


for _ in range(20):
    threading.Thread(target=forever.wait, daemon=True).start()
if "compiled" in sys.argv:
    wait_in_compiled_code()
else:
    threading.Thread(target=both, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.readline()
    leave.set()
    end = time.monotonic() + 0.2
    while time.monotonic() < end:  # so that the one that wakes up is not the last that has the GIL
        pass
sys.stdin.read()
