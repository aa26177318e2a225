# since: 3.10
import dataclasses


@dataclasses.dataclass
class P:
    x: int
    y: int


def f(v):
    match v:  # hit
        case 1:  # hit
            return "one"  # hit
        case [a, b]:  # hit
            return a + b  # hit
        case {"k": k, **rest}:  # hit
            return k  # hit
        case P(x=0, y=y):  # hit
            return y  # hit
        case str() | bytes():  # hit
            return "text"  # miss
        case int(n) if n > 10:  # hit
            return n  # hit
        case _:  # hit
            return None  # hit


print(f(1), f([1, 2]), f({"k": 3}), f(P(0, 4)), f(11), f(2.0))
