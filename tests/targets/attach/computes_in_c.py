"""Computes in C with the GIL held, until somebody else writes something other than zero to the file of argv[1]."""
import itertools
import mmap
import sys


def goes_on():
    sys.stdout.write("goes on\n")  # hit
    sys.stdin.readline()  # hit or not


with open(sys.argv[1], "r+b") as file:
    flag = mmap.mmap(file.fileno(), 1)
sys.stdout.write("ready\n")
sys.stdin.readline()
sys.stdout.write("computes\n")  # hit
any(map(flag.__getitem__, itertools.repeat(0)))  # hit
goes_on()  # hit or not
