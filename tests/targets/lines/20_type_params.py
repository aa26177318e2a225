# since: 3.12
type Alias[T] = list[T]


def f[T: int](x: T) -> T:
    return x  # hit


class C[T]:
    def m(self, x: T) -> T:
        return x  # hit

    def n(self) -> T:
        return None  # miss


print(f(1), C().m(2), Alias.__value__)


def fstring(v):
    return f"{
        v
    } and {
        v + 1
    }"


print(fstring(1))
