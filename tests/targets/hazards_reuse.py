"""Functions and modules that come and go: an address says nothing about what is there."""
import importlib
import os
import shutil
import sys
import tempfile
import types


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def make(i):
    namespace = {}
    exec(compile("def f(a):\n    b = a + %d\n    return b\n" % (i % 7), "/nowhere/reused.py", "exec"), namespace)
    return namespace["f"]


def churn(n):
    kept = []
    for i in range(n):
        f = make(i)
        assert f(1) == 1 + i % 7
        if i % 5 == 0:
            g = types.FunctionType(f.__code__.replace(co_firstlineno=i % 50 + 1), f.__globals__)
            assert g(2) == 2 + i % 7
        if i % 100 == 0:
            kept.append(f)
            del kept[:-20]


def deletes_itself(i):
    namespace = {}
    exec(compile("def f():\n    global f\n    del f\n    x = %d\n    return x\n" % i, "/nowhere/self.py", "exec"), namespace)
    assert namespace["f"]() == i


def reload(n):
    directory = tempfile.mkdtemp()
    try:
        path = os.path.join(directory, "reloaded_module.py")
        with open(path, "w") as f:
            f.write("import os\n\ndef f(a):\n    if a:\n        return 1\n    return 0\n\nclass C:\n    x = [f(i) for i in range(3)]\n")
        sys.path.insert(0, directory)
        import reloaded_module
        for i in range(n):
            importlib.reload(reloaded_module)
            assert reloaded_module.f(i % 2) == i % 2
    finally:
        sys.path.remove(directory)
        shutil.rmtree(directory)


churn(3000)
reload(50)
before = resident()
churn(100000)
for i in range(1000):
    deletes_itself(i)
reload(1000)
grown = resident() - before
assert grown < 8 << 20, grown
print("OK")
