# since: 3.12
# oracle: no only one of us can be measured
# A program that comes later and takes what is left must be able to.
import sys

m = sys.monitoring
free = [i for i in range(6) if m.get_tool(i) is None]
for i in (0, 1, 2, 5):
    m.use_tool_id(i, "mine%d" % i)
    m.set_events(i, m.events.PY_START)
    m.register_callback(i, m.events.PY_START, lambda *a: None)


def f():
    return 1  # hit


f()
for i in (0, 1, 2, 5):
    m.set_events(i, 0)
    m.free_tool_id(i)
print("done")  # hit
