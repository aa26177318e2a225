"""Shows what a .coverage file holds as a table: show_data.py DATAFILE

Files of the Python installation come last and only as a sum.
"""

import dis
import os
import sqlite3
import sys
import sysconfig
from itertools import groupby


def lines_of(numbits):
    return {byte * 8 + bit for byte, bits in enumerate(numbits) for bit in range(8) if bits >> bit & 1}


def executed(db):
    """Maps each file's name to the lines that ran."""
    files = {file_id: (path, set()) for file_id, path in db.execute("SELECT id, path FROM file")}
    for file_id, numbits in db.execute("SELECT file_id, numbits FROM line_bits"):
        files[file_id][1].update(lines_of(numbits))
    for file_id, start, end in db.execute("SELECT file_id, fromno, tono FROM arc"):
        files[file_id][1].update(line for line in (start, end) if line > 0)
    return dict(files.values())


def statements(path):
    """The lines of a source file that can run, as this Python compiles it; None if it can't be read."""
    try:
        with open(path, "rb") as source:
            todo = [compile(source.read(), path, "exec", dont_inherit=True)]
    except (OSError, SyntaxError, ValueError):
        return None
    lines = set()
    for code in todo:
        lines.update(line for _, line in dis.findlinestarts(code) if line)
        todo.extend(const for const in code.co_consts if hasattr(const, "co_code"))
    return lines


def ranges(lines):
    """{1, 2, 3, 7} as "1-3, 7"."""
    groups = groupby(enumerate(sorted(lines)), lambda pair: pair[1] - pair[0])
    runs = [[line for _, line in group] for _, group in groups]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def short(path, base):
    return path[len(base) + 1:] if path.startswith(base + os.sep) else path


def rows(files, base):
    for path, ran in sorted(files.items()):
        known = statements(path)
        if known is None:
            yield short(path, base), len(ran), "?", "?"
        else:
            yield short(path, base), len(ran & known), len(known), ranges(known - ran)


def installed(path, roots=tuple(set(sysconfig.get_paths().values()))):
    return path.startswith(roots)


def show(data_file):
    db = sqlite3.connect(f"file:{os.path.abspath(data_file)}?mode=ro", uri=True)
    files = executed(db)
    own = {path: ran for path, ran in files.items() if not installed(path)}
    library = [len(ran) for path, ran in files.items() if installed(path)]
    table = [("file", "ran", "of", "never ran"), *rows(own, os.getcwd())]
    width = max(len(row[0]) for row in table)
    for name, ran, total, missing in table:
        print(f"{name:<{width}}  {ran:>6}  {total:>6}  {missing}".rstrip())
    if library:
        print(f"and {sum(library)} lines of {len(library)} files of the Python installation")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        show(sys.argv[1])
    except sqlite3.Error as error:
        sys.exit(f"{sys.argv[1]}: {error}")
