"""Greenlets that are suspended, on stacks of their own, when it is attached to: each in a loop that it does not leave, with
calls of C between their frames. They go on when a line comes from standard input, once for each line. Among argv[1] other
objects.
"""
import os
import select
import sys

import greenlet


def in_a_loop(say):
    n = 0
    while True:  # hit or not
        home.switch()  # hit
        n += 1  # hit
        after(say, n)  # hit


def after(say, n):
    say(f"loop {n}")  # hit


def below_c(say, depth):
    if depth:
        return min([depth], key=lambda _: below_c(say, depth - 1))
    for i in range(1000):  # hit or not
        home.switch()  # hit
        say(f"below {i}")  # hit
    return 0


def in_a_generator(say):
    def numbers():
        while True:  # hit or not
            home.switch()  # hit
            yield "generated"  # hit

    for word in numbers():  # hit or not
        say(word)  # hit


class Own(greenlet.greenlet):
    """One that says otherwise of its frame."""

    gr_frame = property(lambda self: 1 / 0)

    def run(self):
        while True:  # hit or not
            home.switch()  # hit
            words.append("own")  # hit


def waits():
    """The one that runs when it is attached to."""
    print("ready", flush=True)  # hit
    while not select.select([sys.stdin], [], [], 0.01)[0]:  # hit or not
        pass  # hit or not
    return sys.stdin.readline()  # hit


heap = [[i] for i in range(int(sys.argv[1]))]
words = []
home = greenlet.getcurrent()
suspended = [greenlet.greenlet(lambda: in_a_loop(words.append)), greenlet.greenlet(lambda: below_c(words.append, 3)),
             greenlet.greenlet(lambda: in_a_generator(words.append)), Own()]
never = greenlet.greenlet(lambda: words.append("never"))
ended = greenlet.greenlet(lambda: None)
ended.switch()
for one in suspended:
    one.switch()
while greenlet.greenlet(waits).switch():  # hit
    for one in suspended:  # hit
        one.switch()  # hit
    print(" ".join(words), flush=True)  # hit
    words.clear()  # hit
os._exit(0)  # from 3.15 on, what is suspended in a generator would be complained of
