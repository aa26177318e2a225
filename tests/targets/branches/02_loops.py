def plain(items):
    for i in items:
        a = i
    return items


def last(items):
    for i in items:
        a = i


def other(items):
    for i in items:
        if i == 3:
            break
    else:
        return "else"
    return "broken"


def going_on(items):
    for i in items:
        if i % 2:
            continue
        a = i
        if i > 100:
            continue
    return 1


def returning(items):
    for i in items:
        if i:
            return i
    return 0


def first_only(items):
    for i in items:
        return i


def counting(n):
    while n:
        n -= 1
    return n


def counting_out(n):
    while n > 0:
        n -= 1
        if n == 5:
            break
    else:
        n = 7
    return n


def forever(n):
    while True:
        n += 1
        if n > 3:
            break
    while 1:
        n += 1
        if n > 10:
            return n


def never(items):
    for i in items:
        a = i
    while items:
        a = 1
    return 1


def nested(n):
    for i in range(n):
        for j in range(i):
            if j == i:
                break
        else:
            continue
        break
    return n


def one_line(n):
    for i in range(n): a = i
    while n: n -= 1
    return n


def several(n):
    for a in (
        range(n)
    ):
        b = (
            a
        )
    while (
        n > 1
        and n < 100
    ):
        n -= 1


plain([1, 2])
plain([])
last([1])
other([1, 2])
other([3, 4])
going_on([1, 2, 3])
returning([0, 0])
returning([0, 5])
first_only([1])
counting(3)
counting_out(3)
counting_out(7)
forever(0)
never([])
nested(3)
one_line(2)
several(3)
for x in range(3):
    if x == 1:
        break
for x in range(2):
    pass
while x < 3:
    x += 1
