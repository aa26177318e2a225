# difference: lines of trace, profile and sys.monitoring callbacks
# oracle: no it is a trace function itself
import sys


def tracer(frame, event, arg):
    seen.append(event)  # hit
    return tracer  # hit


def profiler(frame, event, arg):
    helper()  # hit


def helper():
    seen.append("profile")  # hit


def f():
    return 1  # hit


seen = []
sys.settrace(tracer)
f()
sys.settrace(None)
sys.setprofile(profiler)
f()
sys.setprofile(None)
print(len(seen) > 0)
