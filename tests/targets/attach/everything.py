"""Threads that do many things at once and check what comes out, until standard input ends."""
import asyncio, threading, time, sys, json, re, collections, functools, random, itertools
errors = []
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def gen(n):
    for i in range(n):
        try:
            yield i
        finally:
            pass
class A:
    def __init__(self, x):
        self.x = x

    def __add__(self, o):
        return A(self.x + o.x)

    @property
    def y(self):
        return self.x * 2
def w1():
    while True:
        if fib(12) != 144:
            errors.append("fib")
        if sum(gen(100)) != 4950:
            errors.append("gen")
        time.sleep(0.001)
def w2():
    while True:
        d = json.loads(json.dumps({"a": [1, 2, {"b": "c"}]}))
        if d["a"][2]["b"] != "c":
            errors.append("json")
        if not re.match(r"(\w+)-(\d+)", "abc-12"):
            errors.append("re")
        ns = {}
        exec("def f(a):\n    b = a + 1\n    return b\nr = f(3)\n", ns)
        if ns["r"] != 4:
            errors.append("exec")
        time.sleep(0.002)
def w3():
    async def child(i):
        await asyncio.sleep(0.001)
        return i
    async def main():
        r = await asyncio.gather(*[child(i) for i in range(20)])
        if r != list(range(20)):
            errors.append("aio")
    while True:
        asyncio.run(main())
def w4():
    while True:
        x = functools.reduce(lambda a, b: a + b, [A(i) for i in range(50)])
        if x.y != 2450:
            errors.append("A")
        try:
            try:
                raise KeyError("x")
            except KeyError as e:
                raise ValueError("y") from e
        except ValueError as e:
            if not isinstance(e.__cause__, KeyError):
                errors.append("exc")
        c = collections.Counter(x for x in itertools.chain("abc", "abd"))
        if c["a"] != 2:
            errors.append("cnt")
for f in (w1, w2, w3, w4):
    threading.Thread(target=f, daemon=True).start()
print("ready", flush=True)
n = 0
for line in sys.stdin:
    n += 1
print("errors", errors[:5], flush=True)
