"""A thread that waits in here(), and after a line of standard input in there(), until the end of that."""

import sys
import threading

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


threading.Thread(target=both, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
leave.set()
sys.stdin.read()
