def one(n):
    if n:
        a = 1
    return n


def two(n):
    if n:
        a = 1
    else:
        a = 2
    return a


def three(n):
    if n == 1:
        a = 1
    elif n == 2:
        a = 2
    elif n == 3:
        a = 3
    else:
        a = 4
    if n > 100:
        a = 5
    if n: a = 6
    if n > 200: a = 7
    return a


def last(n):
    if n:
        print(end="")


def last_else(n):
    if n:
        print(end="")
    else:
        print(end="")


def nested(a, b):
    if a:
        if b:
            c = 1
        else:
            c = 2
    elif b:
        c = 3
    return a and b


def constant():
    if True:
        a = 1
    if 0:
        a = 2
    while 1:
        break
    return a


def ternary(n):
    a = 1 if n else 2
    return (a
            if a
            else
            n)


def passing(n):
    if n:
        pass
    else:
        pass
    if n:
        pass
    return 1


for i in range(2):
    one(1)
    two(i)
    three(i + 1)
    last(1)
    last_else(0)
    nested(i, 1)
    constant()
    ternary(1)
    passing(i)

if i:
    one(2)
if not i:
    one(3)
elif i > 5:
    one(4)
else:
    one(0)
if __name__ == "__main__":
    last(0)
