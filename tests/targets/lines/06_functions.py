import functools


def decorator(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)  # hit

    return wrapper  # hit


@decorator
@functools.lru_cache(None)
def decorated(
    a,
    b=2,
):
    """A docstring."""
    return a + b  # hit


def unused(
    a=decorated(1),
    *,
    b: "x" = 1,
):
    return a  # miss


f = lambda x: x + 1  # hit
g = lambda x: (
    x + 2  # miss
)
print(f(1))
key = sorted([3, 1, 2], key=lambda v: -v)


def closure():
    n = 0  # hit

    def up():
        nonlocal n
        n += 1  # hit
        return n  # hit

    def down():
        nonlocal n
        n -= 1  # miss

    return up, down  # hit


up, down = closure()
print(up())


def default(x=(lambda: 5)()):
    global made
    made = x  # hit


default()


def recursive(n):
    if n == 0:
        return 0  # hit
    return 1 + recursive(n - 1)  # hit


print(recursive(30))


def only_docstring():
    """Nothing else."""


only_docstring()


def only_pass():
    pass  # hit


only_pass()


def early(x):
    return x  # hit
    print("dead")  # miss


early(1)
