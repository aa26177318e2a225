import functools


def generator(n):
    for i in range(n):
        if i == 1:
            yield i
        else:
            yield -i


def delegating(n):
    if n:
        yield from generator(n)
    yield 1


def infinite():
    n = 0
    while True:
        yield n
        n += 1


def decorate(f):
    @functools.wraps(f)
    def inner(*args):
        if args:
            return f(*args)
        return f()
    return inner


@decorate
def decorated(n=3):
    return n if n else 0


class C:
    a = 1
    if a:
        b = 2
    else:
        b = 3
    for c in range(2):
        d = c

    def method(self, n):
        if n:
            return self
        return None

    class Inner:
        x = [i for i in range(3) if i]


class One: pass
class Two: x = 1
def one(): return 1
def two(n): return n if n else 1
f = lambda n: n if n else 0
g = lambda n: (
    n
    if n
    else 0
)
obj = [x for x in range(3) if x > 1]
obj = {x: 1 for x in range(3)}
obj = {x for x in
       range(3)
       if x}
obj = list(x for x in range(3) if x)
any(x for x in obj)
if [x for x in obj if x > 100]:
    obj = 1
if any(x
       for x in obj):
    obj = 2
one()
two(1)
f(1)
g(0)


def logic(a, b, c):
    if a and b:
        d = 1
    if a or b:
        d = 2
    if not (a and
            b or
            c):
        d = 3
    if a < b < c:
        d = 4
    d = a and b or c
    while a and not b:
        a -= 1
    if a is None or b is None:
        return 1
    if (e := a):
        return e
    return d


def default(n=(1 if f(1) else 2)):
    return n


def rest(n):
    def inner():
        if n:
            return 1
    class K:
        if n:
            x = 1
    return inner()


list(generator(3))
list(delegating(0))
next(infinite())
decorated(1)
C().method(0)
logic(1, 2, 3)
logic(1, 0, None)
default()
rest(0)
