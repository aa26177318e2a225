"""CPU-bound: function calls and integers."""


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def main():
    for _ in range(12):
        fib(27)


main()
