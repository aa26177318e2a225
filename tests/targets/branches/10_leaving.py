def f(n):
    if 1 / n:
        a = 1


def g():
    yield 1
    raise ValueError


def h(items):
    for i in items:
        a = i


def k(n):
    try:
        while 1 / n:
            n -= 1
    finally:
        if n:
            n = 1


for call in (lambda: f(0), lambda: h(g()), lambda: k(2)):
    try:
        call()
    except Exception:
        pass
