"""Prints one label; runs in a process of its own."""

import sys


def main(name, cents):
    if len(name) > 40:
        name = name[:39] + "…"  # miss
    print(f"| {name:<40} | {int(cents) / 100:6.2f} |", flush=True)


main(*sys.argv[1:])
