"""Threads, forks, interpreters within the interpreter and deep recursion."""
import os
import subprocess
import sys
import threading

SOURCE = "def f(n):\n    x = 0\n" + "".join("    if n > %d:\n        x += %d\n    else:\n        x -= 1\n" % (i, i) for i in range(50)) + \
    "    return x\n"


def fresh():
    namespace = {}
    exec(compile(SOURCE, "/nowhere/shared_by_threads.py", "exec"), namespace)
    return namespace["f"]


def value(n):
    return sum(i if n > i else -1 for i in range(50))


def check_threads():
    for _ in range(20):
        f = fresh()
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append([f(m % 50) for m in range(n, n + 200)] ==
                                                                      [value(m % 50) for m in range(n, n + 200)]))
                   for n in range(8)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        sys.setswitchinterval(interval)
        assert results == [True] * 8


def in_child(f):
    assert f(49) == value(49)
    g = fresh()
    assert g(25) == value(25)


def check_fork():
    f = fresh()
    assert f(10) == value(10)
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                in_child(f)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
    assert f(49) == value(49)
    assert subprocess.check_output([sys.executable, "-c", "print(1)"]) == b"1\n"


def check_recursion():
    def down(n):
        if n == 0:
            return 0
        return 1 + down(n - 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(12000)
    try:
        thread_size = threading.stack_size(256 << 20)
        results = []
        t = threading.Thread(target=lambda: results.append(down(10000)))
        t.start()
        t.join()
        threading.stack_size(thread_size)
        assert results == [10000]
    finally:
        sys.setrecursionlimit(limit)
    try:
        down(limit * 2)
    except RecursionError:
        pass
    else:
        raise AssertionError


def check_interpreters():
    import _xxsubinterpreters as interpreters

    code = compile(SOURCE + "assert f(10) == %d\n" % value(10), "/nowhere/sub.py", "exec")
    for i in range(10):
        sub = interpreters.create()
        interpreters.run_string(sub, SOURCE + "assert f(10) == %d\nimport json, decimal, types\n" % value(10))
        interpreters.run_string(sub, "exec(compile(%r, '/nowhere/sub.py', 'exec'))" % (SOURCE + "assert f(%d) == %d\n" % (i, value(i))))
        interpreters.destroy(sub)
        exec(code, {})


check_threads()
check_fork()
check_recursion()
check_interpreters()
print("OK")
