"""Print the line table of every code object of some modules of the standard library, and what this
interpreter makes of it. One code object per line, of blank-separated fields:

    first line, size of the bytecode, table in hexadecimal, ranges, lines

Ranges are "start:end:line,..." with "-" for no line; lines are those coverage.py would count.
"""

import dis
import os
import sys
import types

MODULES = """argparse ast asyncio/base_events bdb calendar collections/__init__ dataclasses decimal
_pydecimal difflib dis doctest email/message enum functools http/client inspect json/decoder
logging/__init__ pathlib pdb pickle pydoc_data/topics re sre_compile ssl statistics subprocess
tarfile threading turtle typing unittest/mock xml/dom/minidom zipfile opcode keyword
test/test_descr test/test_generators test/test_grammar test/test_patma""".split()

LONG = "def f(x):\n" + "".join(
    "    x = (x +\n%s 1)\n" % ("\n" * (i % 7 * 60)) for i in range(300)
) + "    return [\n" + "        x,\n" * 2000 + "    ]\n" + "class C: pass; x = 1\n"


def walk(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from walk(const)


def lnotab_ranges(code):
    starts = list(dis.findlinestarts(code))
    ends = [start for start, _ in starts[1:]] + [len(code.co_code)]
    return [(start, end, line) for (start, line), end in zip(starts, ends)]


def coverage_lines(code):
    """As coverage.py's ByteParser._line_numbers() before co_lines() existed."""
    line, last = code.co_firstlineno, None
    table = code.co_lnotab
    for skip, delta in zip(table[0::2], table[1::2]):
        if skip and line != last:
            yield line
            last = line
        line += delta - 256 if delta >= 128 else delta
    if line != last:
        yield line


def merged(ranges):
    """Some versions join neighbours of the same line themselves, 3.10 does not."""
    result = []
    for start, end, line in ranges:
        if start == end:
            continue
        if result and result[-1][2] == line:
            start = result.pop()[0]
        result.append((start, end, line))
    return result


def describe(code):
    if hasattr(code, "co_lines"):
        table = code.co_linetable
        ranges = merged(code.co_lines())
        lines = {line for _, _, line in ranges if line}
    else:
        table = code.co_lnotab
        ranges = merged(lnotab_ranges(code))
        lines = set(coverage_lines(code))
    return " ".join((
        str(code.co_firstlineno),
        str(len(code.co_code)),
        table.hex() or "-",
        ",".join("%d:%d:%s" % (s, e, "-" if n is None else n) for s, e, n in ranges) or "-",
        ",".join(str(n) for n in sorted(lines) if n > 0) or "-",
    ))


def sources():
    yield "long", LONG
    library = os.path.dirname(os.__file__)
    for name in MODULES:
        path = os.path.join(library, name + ".py")
        if os.path.exists(path):
            with open(path, "rb") as file:
                yield path, file.read()


def main():
    for path, source in sources():
        for code in walk(compile(source, path, "exec", dont_inherit=True)):
            print(describe(code))


main()
