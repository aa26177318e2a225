# oracle: no it traces only threads that threading starts
import _thread
import ctypes
import threading


def run_by_threading():
    return 1  # hit


def run_by_thread(lock):
    lock.release()  # hit


def run_by_c():
    called.append(1)  # hit
    return None  # hit


def not_run():
    return 2  # miss


t = threading.Thread(target=run_by_threading)
t.start()
t.join()  # hit
lock = _thread.allocate_lock()
lock.acquire()
_thread.start_new_thread(run_by_thread, (lock,))
lock.acquire()  # hit

called = []
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


def from_c(arg):
    run_by_c()  # hit
    return 0  # hit


callback = CALLBACK(from_c)
libc = ctypes.CDLL(None)
try:
    create, join = libc.pthread_create, libc.pthread_join
except AttributeError:
    libc = ctypes.CDLL("libpthread.so.0")  # miss
    create, join = libc.pthread_create, libc.pthread_join  # miss
ident = ctypes.c_ulong()
create.argtypes = [ctypes.c_void_p, ctypes.c_void_p, CALLBACK, ctypes.c_void_p]
join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
assert create(ctypes.byref(ident), None, callback, None) == 0
join(ident, None)
assert called == [1]  # hit

results = []


def many(n):
    if n == 3:  # hit
        results.append("three")  # hit
    elif n == 99:  # hit
        results.append("never")  # miss
    else:
        results.append(n)  # hit


threads = [threading.Thread(target=many, args=(n,)) for n in range(20)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(results))  # hit


class Local(threading.local):
    def __init__(self):
        self.x = 1  # hit


local = Local()
