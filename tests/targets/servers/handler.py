"""What the servers here answer with: the same bytes for the same request, by way of many kinds of lines.

On import no function is called.
"""
import json


class Shop:
    def __init__(self):
        self.prices = {"tea": 3, "coffee": 4}

    def price(self, name, number):
        try:
            one = self.prices[name]
        except KeyError:
            raise LookupError(name) from None
        return one * number


def numbers(n):
    for i in range(n):
        if i % 3 == 0:
            yield i
        else:
            continue


def text(n):
    words = [str(i) for i in numbers(int(n))]
    return 200, ",".join(words)


def big(n):
    def row(i):
        return f"{i:08}\n"

    return 200, "".join(map(row, range(int(n))))


def price(query):
    name, _, number = query.partition("*")
    try:
        return 200, str(Shop().price(name, int(number)))
    except LookupError as e:
        return 404, str(e)
    finally:
        name = None


def echo(body):
    if not body:
        return 400, b"nothing"
    things = json.loads(body)
    things["sum"] = sum(x * x for x in things["values"])
    return 200, json.dumps(things).encode()


def nobody_asks():
    return 500, "never"


def answer(method, path, body=b""):
    if method == "POST":
        return echo(body)
    _, kind, argument = path.split("/")
    f = {"text": text, "big": big, "price": price, "never": nobody_asks}[kind]
    status, value = f(argument)
    return status, value.encode()
