import typing


class A:
    x: int = 1
    y: "A"
    z: typing.List[
        int
    ]

    def m(
        self,
        a: int,
        b: typing.Optional[str] = None,
    ) -> "A":
        c: int
        d: int = 1  # hit
        return self  # hit


v: int = 3
w: str
A().m(1)
print(sorted(typing.get_type_hints(A)))
print(sorted(A.__annotations__))
