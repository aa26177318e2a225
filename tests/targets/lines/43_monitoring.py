# since: 3.12
# oracle: no it uses the same
import sys

m = sys.monitoring
E = m.events
TOOL = m.DEBUGGER_ID
m.use_tool_id(TOOL, "own")
seen = []


def record(kind):
    def callback(code, *args):
        if code.co_filename == __file__ and code.co_name in ("f", "g"):
            seen.append((kind, code.co_name, *(a for a in args if isinstance(a, int))))

    return callback


def f(n):
    for i in range(n):
        if i:
            g(i)  # hit
    return n  # hit


def g(i):
    return i * 2  # hit


for name in ("LINE", "PY_START", "PY_RETURN", "CALL", "JUMP", "INSTRUCTION"):
    m.register_callback(TOOL, getattr(E, name), record(name))
f(2)
m.set_events(TOOL, E.LINE | E.PY_START | E.PY_RETURN)
f(2)
f(2)
print(len(seen), seen)
del seen[:]
m.set_events(TOOL, 0)
m.set_local_events(TOOL, f.__code__, E.LINE | E.JUMP | E.INSTRUCTION)
f(2)
m.set_local_events(TOOL, f.__code__, 0)
print(len(seen), seen)
del seen[:]
m.register_callback(TOOL, E.LINE, lambda code, line: (seen.append(line), m.DISABLE)[1] if code is f.__code__ else None)
m.set_events(TOOL, E.LINE)
f(3)
f(3)
m.restart_events()
f(3)
m.set_events(TOOL, 0)
print(seen)
m.free_tool_id(TOOL)
for i in range(6):
    if m.get_tool(i) is None and i in (0, 1, 2, 5):
        m.use_tool_id(i, "t")
        m.free_tool_id(i)
f(1)


def later():
    return 1  # hit


later()
