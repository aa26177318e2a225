# since: 3.10


def plain(x):
    match x:
        case 1:
            return "one"
        case 2 | 3:
            return "two"
        case [a, b]:
            return a
        case {"k": v} if v:
            return v
        case str():
            return x
        case _:
            return None


def open_end(x):
    match x:
        case 1:
            a = 1
        case [1, *rest]:
            a = 2
    return x


def irrefutable(x):
    match x:
        case 1:
            a = 1
        case other:
            a = 2
    return a


def guarded(x):
    match x:
        case n if n > 3:
            a = 1
        case int(
            real=3
        ):
            a = 2
        case _:
            pass


def loop(items):
    for i in items:
        match i:
            case 0:
                continue
            case 1:
                break
            case _:
                a = i


plain(1)
plain([1, 2])
plain({"k": 0})
plain("a")
open_end(1)
open_end(5)
irrefutable(2)
guarded(5)
guarded(3)
loop([0, 2])
loop([1])
