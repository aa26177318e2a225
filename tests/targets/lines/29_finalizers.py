import gc
import weakref


class A:
    def __del__(self):
        log.append("del")  # hit


def on_dead(ref):
    log.append("ref")  # hit


log = []
a = A()
r = weakref.ref(a, on_dead)
del a
a, b = A(), A()
a.b, b.a = b, a
del a, b
gc.collect()
gc.callbacks.append(lambda phase, info: log.append(phase))  # hit
gc.collect()
gc.callbacks.clear()
weakref.finalize(A, print, "finalized")


def unraisable():
    class B:
        def __del__(self):
            raise ValueError("in del")  # hit

    B()


import sys

sys.unraisablehook = lambda u: print(u.exc_value)  # hit
unraisable()
print(log.count("del"))  # hit
