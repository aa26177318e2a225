data = [1, 2, 3]
a = [
    x * 2  # hit
    for x in data
    if x > 1
]
b = {
    x: y
    for x in data
    for y in data
    if x < y
}
c = {x for x in data if x > 5}
d = list(
    x + 1
    for x in data
)
e = [[y for y in range(x)] for x in data]
f = [
    (lambda z: z)(x)
    for x in []
]
print(a, b, c, d, e, f)


def inside(n):
    return [
        i  # hit
        for i in range(n)
        if i % 2
    ]


print(inside(4))


class K:
    names = [n for n in "ab"]  # hit
    pairs = {k: v for k, v in zip("ab", range(2))}


print(K.names, K.pairs)
print([x for x in (i for i in range(3))], any(x > 1 for x in data))
if all(x > 1 for x in data):
    print("no")  # miss
