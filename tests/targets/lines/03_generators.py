def simple():
    yield 1  # hit
    yield 2  # hit
    yield 3  # miss


g = simple()
next(g), next(g)
g.close()


def sent():
    got = yield 1  # hit
    while got:  # hit
        got = yield got + 1  # hit
    return "end"  # hit


g = sent()
next(g)
g.send(1)
try:
    g.send(0)
except StopIteration as e:  # hit
    print(e.value)  # hit


def thrown():
    try:
        yield 1  # hit
        print("not here")  # miss
    except KeyError:  # hit
        yield 2  # hit
    finally:
        print("cleaned")  # hit


g = thrown()
next(g)
print(g.throw(KeyError()))
g.close()


def inner():
    x = yield "a"  # hit
    print("inner got", x)  # hit
    return x * 2  # hit


def outer():
    r = yield from inner()  # hit
    yield r  # hit
    yield from (i for i in range(2))  # hit
    return  # miss


g = outer()
next(g)
print(g.send(4))
print(next(g))
print(g.gi_frame is not None, g.gi_running, g.gi_yieldfrom is not None)
del g


def never_started():
    yield 1  # miss


never_started()
nested = list(a + b for a in range(3) for b in range(2) if a != b)
print(nested)


def exhausted():
    for i in range(2):  # hit
        yield i  # hit
    print("over")  # hit


print(list(exhausted()))


def deep(n):
    if n:  # hit
        yield from deep(n - 1)  # hit
    yield n  # hit


print(sum(deep(50)))
