import abc
import dataclasses
import enum


class Base(abc.ABC):
    x = 1  # hit

    @abc.abstractmethod
    def f(self):
        raise NotImplementedError  # miss

    @property
    def p(self):
        return self._p  # hit

    @p.setter
    def p(self, v):
        self._p = v  # hit

    @staticmethod
    def s():
        return 1  # hit

    @classmethod
    def c(cls):
        return cls  # miss

    if x:
        y = 2  # hit
    else:
        y = 3  # miss


class Child(Base):
    def f(self):
        return super().x  # hit

    class Nested:
        z = 4  # hit

        def g(self):
            return self.z  # hit


c = Child()
c.p = 5
print(c.f(), c.p, c.s(), Child.Nested().g())


class Meta(type):
    def __new__(mcs, name, bases, ns):
        ns["added"] = 1  # hit
        return super().__new__(mcs, name, bases, ns)  # hit

    def __call__(cls, *a):
        return super().__call__(*a)  # hit


class WithMeta(metaclass=Meta):
    def __init__(self):
        self.a = self.added  # hit

    def __getattr__(self, name):
        return name  # hit

    def __eq__(self, other):
        return True  # hit

    def __hash__(self):
        return 1  # hit

    def __del__(self):
        print("del")  # hit


w = WithMeta()
print(w.whatever, w == 1, {w: 1} is None)
del w


@dataclasses.dataclass(order=True)
class Data:
    a: int
    b: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.b.append(self.a)  # hit


print(Data(1) < Data(2))


class Color(enum.Enum):
    RED = 1  # hit
    BLUE = 2  # hit

    def shade(self):
        return self.value  # hit


print(Color.RED.shade())


class Slots:
    __slots__ = ("a",)

    def __init_subclass__(cls, **kw):
        print(sorted(kw))  # hit

    def __class_getitem__(cls, item):
        return item  # hit


class Sub(Slots, k=1):
    pass


print(Slots[3])
