# Lines that run while the interpreter shuts down.
# oracle: no it stops before
import atexit
import sys
import threading


def at_exit():
    print("exit")  # hit


atexit.register(at_exit)


class Late:
    def __del__(self):
        print("late")  # hit


sys.late = Late()
keep = Late()
event = threading.Event()


def daemon():
    event.set()  # hit
    threading.Event().wait()  # hit
    print("never")  # miss


t = threading.Thread(target=daemon, daemon=True)
t.start()
event.wait()
print("end")  # hit
