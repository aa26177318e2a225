class Manager:
    def __init__(self, swallow=False):
        self.swallow = swallow

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.swallow


def plain():
    with Manager():
        a = 1
    return a


def last():
    with Manager():
        a = 1


def returning(n):
    with Manager() as m:
        if n:
            return 1
    return 2


def swallowing():
    with Manager(True):
        raise ValueError
    return 1


def raising():
    with Manager():
        raise ValueError
    return 1


def several():
    with Manager() as a, Manager() as b:
        c = 1
    with Manager() as a, \
            Manager(
            ) as b:
        c = 1
    return c


def loop(items):
    for i in items:
        with Manager():
            if i == 1:
                continue
            if i == 2:
                break
            a = i
    return 1


def nested(n):
    with Manager():
        with Manager():
            if n:
                a = 1
    return 1


def ends_with_if(n):
    with Manager():
        if n:
            a = 1
    with Manager():
        for i in range(n):
            a = 2
    with Manager():
        while n:
            n -= 1


plain()
last()
returning(1)
swallowing()
try:
    raising()
except ValueError:
    pass
several()
loop([1, 0])
loop([2])
nested(1)
ends_with_if(1)
with Manager():
    x = 1
if x:
    with Manager():
        x = 2
