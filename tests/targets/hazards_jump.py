"""Debuggers set frame.f_lineno; the interpreter then analyses the bytecode."""
import sys


def jump(function, at, to, expected=None, error=None):
    first = function.__code__.co_firstlineno
    done = []

    def trace(frame, event, arg):
        if frame.f_code is not function.__code__:
            return None
        if event == "line" and frame.f_lineno == first + at and not done:
            done.append(1)
            frame.f_lineno = first + to
        return trace

    output = []
    sys.settrace(trace)
    try:
        function(output)
    except error if error else () as e:
        output.append(type(e).__name__)
    finally:
        sys.settrace(None)
    assert output == expected, (function.__name__, output, expected)


def straight(output):
    output.append(1)
    output.append(2)
    output.append(3)


def loops(output):
    for i in 1, 2:
        output.append(i)
        for j in 3, 4:
            output.append(j)
        output.append(5)
    output.append(6)


def into_loop(output):
    output.append(1)
    for i in 1, 2:
        output.append(2)
    output.append(3)


def blocks(output):
    try:
        output.append(1)
        with open("/dev/null"):
            output.append(2)
            output.append(3)
        output.append(4)
    finally:
        output.append(5)
    output.append(6)


def generator(output):
    def gen():
        yield 1
        yield 2
    for x in gen():
        output.append(x)
        output.append("b")
    output.append("c")


jump(straight, 1, 3, [3])
jump(straight, 3, 1, [1, 2, 1, 2, 3])
jump(loops, 3, 5, [1, 5, 2, 3, 4, 5, 6])
jump(loops, 2, 6, [6])
jump(into_loop, 1, 3, [ValueError.__name__], ValueError)
jump(blocks, 4, 5, [1, 3, 4, 5, 6])
jump(blocks, 2, 6, [4, 5, 6])
jump(generator, 4, 7, ["c"])
print("OK")
