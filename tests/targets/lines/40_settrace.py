# The events that a program's own trace and profile functions see.
# oracle: no it is a trace function itself
import sys
import threading

events = []


def tracer(frame, event, arg):
    if frame.f_code.co_filename == __file__:
        events.append((event, frame.f_code.co_name, frame.f_lineno))
        if frame.f_code.co_name == "opcodes":
            frame.f_trace_opcodes = True
    return tracer


def profiler(frame, event, arg):
    if frame.f_code.co_filename == __file__:
        events.append(("profile", event, frame.f_code.co_name))


def traced(n):
    total = 0  # hit
    for i in range(n):
        if i % 2:
            total += i  # hit
        else:
            total -= i  # hit
    return total  # hit


def generator():
    x = yield 1  # hit
    yield x  # hit


def raises():
    raise KeyError  # hit


def opcodes():
    a = 1  # hit
    return a + 1  # hit


def never():
    return 1  # miss


def work():
    print(traced(5))
    g = generator()
    next(g)
    g.send(2)
    g.close()
    try:
        raises()  # hit
    except KeyError:
        pass  # hit
    print(opcodes(), [c for c in "ab"])
    exec(compile("a = 1\nb = 2\n", __file__, "exec"))


work()
sys.settrace(tracer)
work()
sys.settrace(None)
print(len(events), events)
del events[:]
sys.setprofile(profiler)
work()
sys.setprofile(None)
print(len(events), events)
del events[:]
threading.settrace(tracer)
t = threading.Thread(target=work)
t.start()
t.join()
threading.settrace(None)
print(len(events), events)
del events[:]
work()
