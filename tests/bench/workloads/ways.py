"""CPU-bound: branches that always go the same way, the worst for --branch."""


def scan(items, limit):
    found = 0
    for item in items:
        if item > limit:
            found += 1
        if found and item:
            raise ValueError(item)
    return found


items = list(range(1000))
for _ in range(3000):
    scan(items, 1000)
