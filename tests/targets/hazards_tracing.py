"""A program's own sys.settrace() and sys.setprofile() see the same, whether a line has run before or not."""
import sys
import threading

SOURCE = """
def leaf(n):
    total = 0
    for i in range(n):
        if i %% 2:
            total += i
        else:
            total -= (
                i
            )
    return total

def generator(n):
    try:
        for i in range(n):
            yield i
    finally:
        n = None

def raises(n):
    try:
        raise ValueError(n)
    except ValueError as error:
        return str(error)
    finally:
        n += 1

class C:
    attribute = [x for x in range(3)]

    def method(self, *args, **kwargs):
        with self as that: return (lambda: that)()

    def __enter__(self):
        return self

    def __exit__(self, *info):
        pass

def long_arguments(a):
    x = (%s)
    while a:
        a -= 1
        if a == 2:
            continue
    return x

def run():
    leaf(4)
    leaf(20)
    list(generator(3))
    g = generator(5)
    next(g)
    g.close()
    raises(1)
    C().method(1, 2, k=3)
    long_arguments(4)
""" % ", ".join("a + %d" % i for i in range(300))


def fresh():
    namespace = {}
    exec(compile(SOURCE, "/nowhere/traced.py", "exec"), namespace)
    return namespace["run"]


def record(run, opcodes=False, profile=False):
    events = []

    def trace(frame, event, arg):
        if frame.f_code.co_filename == "/nowhere/traced.py":
            if opcodes and not profile:
                frame.f_trace_opcodes = True
            value = arg[0] if event == "exception" else arg if isinstance(arg, (int, str)) else None
            events.append((event, frame.f_code.co_name, frame.f_lineno, frame.f_lasti, value))
        return trace

    install = sys.setprofile if profile else sys.settrace
    install(trace)
    try:
        run()
    finally:
        install(None)
    return events


for kind in {}, {"opcodes": True}, {"profile": True}:
    used = fresh()
    for _ in range(12):
        used()
    expected = record(used, **kind)
    run = fresh()
    first, second = record(run, **kind), record(run, **kind)
    assert len(expected) > 20
    assert first == expected, [(a, b) for a, b in zip(first, expected) if a != b][:5]
    assert second == expected


def switched_on_in_the_middle():
    events = []

    def trace(frame, event, arg):
        events.append((event, frame.f_lineno - here))
        return trace

    frame = sys._getframe()
    here = frame.f_lineno
    frame.f_trace = trace
    sys.settrace(trace)
    a = 1
    b = [
        a,
    ]
    sys.settrace(None)
    return events


once, again = switched_on_in_the_middle(), switched_on_in_the_middle()
assert once == again, (once, again)


def in_thread():
    results = []
    run = fresh()
    thread = threading.Thread(target=lambda: results.append(record(run)))
    thread.start()
    thread.join()
    return results[0]


used = fresh()
used()
assert in_thread() == record(used)
print("OK")
