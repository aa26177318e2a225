"""The HTML report: against coverage.py's, and the folder it is written into. html_browser.py looks at it."""

import html
import json
import os
import re
import sqlite3
from html.parser import HTMLParser

from harness import FULL, Skip, case

ONE = "pyenv-3.12"  # the pages depend on the data alone

SHOP = '''\
"""A shop."""
import json


class Cart:
    """A cart."""

    rate = 0.1

    def __init__(self, *items):
        self.items = list(items)

    def total(self, discount=None):
        total = sum(
            price
            for _, price in self.items
        )
        if discount:
            return total * (
                1 - discount
            )
        return total

    def never(self):
        def inner():
            return 1
        return inner()


def dump(cart):  # pragma: no cover
    return json.dumps(cart.items)


print(Cart(("tea", 3)).total())
'''


class Page(HTMLParser):
    """What is in a page: elements must be closed as they were opened, but for those that need not be."""

    OPTIONAL = {"td", "tr", "th", "dt", "dd", "thead", "tbody", "tfoot"}
    VOID = {"meta", "link", "input", "wbr"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.links, self.ids = [], [], [], set()
        self.tables, self.lines, self.line, self.scripts, self.cell = [], {}, None, [], None
        self.feed(text)
        self.close()
        if self.open:
            self.problems.append(f"never closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in self.OPTIONAL:
            self.cell = None
            if tag == "tr":
                self.tables.append([])
            elif tag in ("td", "th"):
                self.cell = [""]
                self.tables[-1].append(self.cell)
        elif tag not in self.VOID:
            self.open.append(tag)
        for name in ("href", "src"):
            if attrs.get(name):
                self.links.append(attrs[name])
        self.problems += [f"{name} of {tag}" for name in attrs if name.startswith("on") or name == "style"]
        if "id" in attrs:
            if attrs["id"] in self.ids:
                self.problems.append(f"twice: {attrs['id']}")
            self.ids.add(attrs["id"])
        if tag == "script":
            self.scripts.append(attrs)
        if tag == "p" and re.fullmatch(r"t\d+", attrs.get("id", "")):
            self.line = self.lines[int(attrs["id"][1:])] = [attrs.get("class", ""), ""]

    def handle_endtag(self, tag):
        if tag in self.OPTIONAL:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> is of nothing")
        if tag == "p":
            self.line = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[0] += data
        if self.line is not None and "a" not in self.open and "button" not in self.open:
            self.line[1] += data

    def rows(self):
        """The text of each row of the table that is not its head or foot."""
        rows = [[cell[0].strip() for cell in row] for row in self.tables]
        return [row for row in rows if row and row[0] not in ("File", "Total")]


def read_report(t, folder="htmlcov"):
    """All pages by name; each is sound, and all its links lead somewhere."""
    folder = t.dir / folder
    pages = {path.name: Page(path.read_text()) for path in folder.glob("*.html")}
    for name, page in pages.items():
        t.expect(not page.problems, f"{name} is sound", page.problems)
        for link in page.links:
            if link == "data:,":
                continue
            target, _, fragment = link.partition("#")
            t.expect((folder / target).is_file() if target else True, f"{name}: a link to {link}")
            t.expect(not fragment or fragment in pages[target or name].ids, f"{name}: a link to {link}")
        for attrs in page.scripts:
            t.expect(attrs.get("src") == "pycov-trace.js" or attrs.get("type") == "application/json", f"{name}: a script",
                     attrs)
    return pages


def source_page(t, name, folder="htmlcov"):
    flat = re.sub(r"\W", "_", name, flags=re.ASCII)
    found = [path for path in (t.dir / folder).glob(f"z_*_{flat}.html")]
    t.expect_equal(len(found), 1, f"pages of {name}")
    return Page(found[0].read_text())


def record(t, text=SHOP, name="shop.py", options=()):
    path = t.write(name, text)
    run = t.run([t.program, "--data-file=.coverage", *options, "--", *t.py(path)])
    t.expect(run.status == 0, "a run", run)
    return path


def line_of(text, piece):
    return text[:text.index(piece)].count("\n") + 1


def report(t, *options, status=0):
    run = t.run([t.program, "html", *options])
    t.expect_equal(run.status, status, f"status of html {options}: {run}")
    return run


# ------------------------------------------------------------------------------------------- against coverage.py


def coverage_html(t, *options):
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    env = dict(t.env, PYTHONPATH=t.python.coverage)
    run = t.run(t.py("-m", "coverage", "html", "-q", "-d", "theirs", *options), env=env, limit=120)
    t.expect(run.status in (0, 2), "coverage html", run)


def their_rows(t, page):
    """The rows of coverage.py's table, without the cells that are there for their width."""
    text = (t.dir / "theirs" / page).read_text()
    rows = []
    for row in re.findall(r'<tr class="region">(.*?)</tr>', text, re.S):
        cells = re.findall(r"<td([^>]*)>(.*?)</td>", row, re.S)
        texts = [html.unescape(re.sub(r"<.*?>", "", cell)) for attrs, cell in cells if "spacer" not in attrs]
        # of statements and branches alone there are percentages, too, where there are branches
        texts = [cell for cell in texts[:-1] if not cell.endswith("%")] + texts[-1:]
        rows.append([cell.replace("\u200b", "").replace("\u2009", "").replace(" / ", "/").strip() for cell in texts])
    return rows


def expect_same_tables(t, *options):
    coverage_html(t, *options)
    report(t, *options)
    pages = read_report(t)
    for page in ("index.html", "function_index.html", "class_index.html"):
        if not (t.dir / "theirs" / page).exists():  # there is not a class
            continue
        ours, theirs = sorted(pages[page].rows()), sorted(their_rows(t, page))
        t.expect(ours, f"{page} has rows")
        t.expect(ours == theirs, f"{page} is coverage.py's", [row for row in ours if row not in theirs],
                 [row for row in theirs if row not in ours])


def their_lines(t, name):
    """The kind of each line, by its number."""
    flat = re.sub(r"[^a-zA-Z0-9]", "_", os.path.basename(name))
    page, = (t.dir / "theirs").glob(f"z_*_{flat}.html") if "/" in name else (t.dir / "theirs").glob(f"{flat}.html")
    kinds = {}
    for classes, number in re.findall(r'<p class="([^"]*)"><span class="n"><a id="t(\d+)"', page.read_text()):
        kind = {"run": "r", "mis": "m", "exc": "x", "par": "p"}.get(classes.split(" ")[0], "")
        kinds[int(number)] = kind + (" c" if kind and re.search(r"\b(run|mis|exc|par)2\b", classes) else "")
    return kinds


@case(only=ONE)
def as_coverage_has_it(t):
    record(t)
    expect_same_tables(t)
    ours = {n: line[0] for n, line in source_page(t, "shop.py").lines.items()}
    t.expect_equal(ours, their_lines(t, "shop.py"), "kinds of lines")
    for options in (["--precision=2"], ["--skip-covered"], ["--skip-empty"]):
        expect_same_tables(t, *options)


@case(only=ONE)
def as_coverage_has_branches(t):
    """coverage.py's own data, with branches."""
    path = t.write("shop.py", SHOP + "for i in range(3):\n    if i:\n        break\nwhile i:\n    if not i:\n        x = (\n"
                                     "            1\n        )\n    i -= 1\nif i or (\n        not i):\n    print(i)\n")
    if t.python.coverage == "-":
        raise Skip(f"no coverage.py for {t.python.name}")
    run = t.run(t.py("-m", "coverage", "run", "--branch", path), env=dict(t.env, PYTHONPATH=t.python.coverage))
    t.expect(run.status == 0, "coverage run", run)
    expect_same_tables(t)
    page = source_page(t, "shop.py")
    ours = {n: line[0] for n, line in page.lines.items()}
    t.expect_equal(ours, their_lines(t, "shop.py"), "kinds of lines")
    t.expect("p" in ours.values(), "partial lines", ours)


@case(only=ONE)
def as_coverage_has_the_library(t):
    """Modules of the standard library: thousands of functions, in all the ways there are to write one."""
    names = "argparse, ast, asyncio, dataclasses, email.message, inspect, json, logging, typing"
    record(t, f"import {names}\nclass A:\n    pass\n", options=["--pylib"])
    chosen = [] if FULL else ["--include=*/argparse.py,*/dataclasses.py,*/json/*,*/typing.py"]
    expect_same_tables(t, *chosen)
    rows = read_report(t)["function_index.html"].rows()
    t.expect(len(rows) > 400, "many functions", len(rows))


# ------------------------------------------------------------------------------------------------------- the pages


@case(only=ONE)
def lines_as_they_are(t):
    """The text of a page is the source, whatever is in it."""
    text = 'def f(a):\n\tx = "<script>alert(1)</script>&amp;"; return x\n\n# \u202e caf\u00e9 \x0c \x1b\n' \
           "b = '''one\n  <b>two</b>\n'''  # three\nif b: c = f\"{b!r:>{10}} # no\" # yes\n"
    record(t, text)
    report(t)
    read_report(t)
    lines = source_page(t, "shop.py").lines
    got = "".join(lines[n][1] + "\n" for n in sorted(lines))
    expected = text.replace("\u202e", "U+202E").replace("\x0c", " ").replace("\x1b", "U+001B")
    t.expect_equal(got, expected, "text")


@case(only=ONE)
def colours(t):
    record(t, 'match = type = 1\nclass A: x = 1.5\nasync def f():\n    return "s" # o\n'
              "match type:\n    case 1: print('''a\nb''')\ntype = None\n")
    report(t)
    page, = (t.dir / "htmlcov").glob("z_*.html")
    got = re.findall(r'<span class="(\w)">(.*?)</span>', page.read_text())
    t.expect_equal(got, [
        ("n", "1"), ("k", "class"), ("d", "A"), ("n", "1.5"), ("k", "async"), ("k", "def"), ("d", "f"), ("k", "return"),
        ("s", "&quot;s&quot;"), ("o", "# o"), ("k", "match"), ("k", "case"), ("n", "1"), ("s", "&#39;&#39;&#39;a"),
        ("s", "b&#39;&#39;&#39;"), ("k", "None")], "coloured words")


@case(only=ONE)
def hostile_names(t):
    name = "<img src=x onerror=alert(1)>\"'&\n\u202e.py"
    record(t, "x = 1\n", name)
    run = report(t, "--title", "</title><script>alert(1)</script>")
    t.expect_equal(run.err, b"", "stderr")
    pages = read_report(t)
    t.expect(any("<img src=x" in row[0] for row in pages["index.html"].rows()), "its name", pages["index.html"].rows())


@case(only=ONE)
def contexts(t):
    text = SHOP + "import sys\nif len(sys.argv) > 1:\n    x = 1\n"
    ran, last, inner = (str(line_of(text, piece)) for piece in ("rate =", "x = 1", "return 1"))
    path = record(t, text, options=["--context=<first>"])
    run = t.run([t.program, "--data-file=.coverage", "--append", "--context=second", "--", *t.py(path, "more")])
    t.expect(run.status == 0, "a second run", run)
    report(t, "--show-contexts")
    page = next((t.dir / "htmlcov").glob("z_*_shop_py.html")).read_text()
    table = re.search(r'id="contexts">(.*?)</script>', page, re.S).group(1)
    t.expect("<" not in table, "the names are escaped", table)
    table = json.loads(table)
    t.expect_equal(sorted(table["names"]), ["<first>", "second"], "names")
    sets = {n: sorted(table["names"][i] for i in table["sets"][int(value)]) for n, value in
            re.findall(r'<p id="t(\d+)"[^\n]*?class="who" value="(\d+)"', page)}
    t.expect_equal((sets[ran], sets[last], sets.get(inner)), (["<first>", "second"], ["second"], None), "who ran what")
    report(t)
    t.expect("class=\"who\"" not in next((t.dir / "htmlcov").glob("z_*_shop_py.html")).read_text(), "no contexts")
    for which, kind in (("second", "r"), ("first", "m")):
        report(t, f"--contexts={which}")
        t.expect_equal(source_page(t, "shop.py").lines[int(last)][0], kind, f"the last line, for {which}")


@case(only=ONE)
def heat(t):
    """Where the data has samples, their numbers stand at the lines, in shades up to that of the hottest."""
    path = record(t)
    db = sqlite3.connect(t.dir / ".coverage")
    db.execute("create table if not exists pycov_trace_samples"
               " (file_id integer, line integer, samples integer, primary key (file_id, line))")
    file, = db.execute("select id from file where path = ?", [path]).fetchone()
    db.executemany("insert into pycov_trace_samples values (?, ?, ?)", [(file, 8, 25), (file, 16, 100), (file, 17, 1)])
    db.commit()
    db.close()
    report(t)
    page = next((t.dir / "htmlcov").glob("z_*_shop_py.html")).read_text()
    got = re.findall(r'<p id="t(\d+)"[^\n]*?class="heat h(\d+)"[^>]*>(\d+)<', page)
    t.expect_equal(got, [("8", "5", "25"), ("16", "10", "100"), ("17", "1", "1")], "lines, shades and samples")


@case(only=ONE)
def without_a_source(t):
    path = record(t)
    os.unlink(path)
    report(t, "-i")
    page = source_page(t, "shop.py")
    ran, missed, empty = (line_of(SHOP, piece) for piece in ("rate =", "return 1", "\n\nclass"))
    t.expect_equal((page.lines[ran][0], page.lines[missed][0], empty + 1 in page.lines), ("r", "m", False), "lines")


# ------------------------------------------------------------------------------------------------------ the folder


@case(only=ONE)
def own_files_alone(t):
    record(t)
    run = report(t)
    t.expect_equal(run.text, "Wrote HTML report to htmlcov/index.html\n", "output")
    folder = t.dir / "htmlcov"
    t.expect_equal((folder / ".gitignore").read_text(), "# Created by pycov-trace\n*\n", ".gitignore")
    first = set(os.listdir(folder))
    t.write("htmlcov/z_0123456789abcdef_mine.html", "<p>mine")
    t.write("htmlcov/notes.txt", "mine")
    os.unlink(folder / ".gitignore")
    os.unlink(t.dir / "shop.py")
    record(t, "x = 1\n", "other.py")
    os.unlink(folder / "class_index.html")
    os.symlink("../other.py", folder / "class_index.html")
    report(t, status=1)
    os.unlink(folder / "class_index.html")
    t.expect_equal(report(t, "-q").out, b"", "output of -q")
    second = set(os.listdir(folder))
    gone = first - second
    t.expect(len(gone) == 2 and any("shop_py" in name for name in gone), "the old page is gone", gone)
    t.expect({"z_0123456789abcdef_mine.html", "notes.txt"} <= second, "foreign files are there", second)
    t.expect_equal((t.dir / "other.py").read_text(), "x = 1\n", "what a link led to")


@case(only=ONE)
def an_index_of_others(t):
    record(t)
    t.write("docs/index.html", "<h1>My documents</h1>")
    run = report(t, "-d", "docs", status=1)
    t.expect("docs/index.html" in run.errors, "an error that names it", run)
    t.expect_equal(os.listdir(t.dir / "docs"), ["index.html"], "the folder")
    t.expect_equal((t.dir / "docs/index.html").read_text(), "<h1>My documents</h1>", "the index")
    # coverage.py's is replaced
    coverage_html(t)
    report(t, "-d", "theirs")
    t.expect("pycov-trace" in (t.dir / "theirs/index.html").read_text(), "ours")


@case(only=ONE)
def folders_that_cannot_be(t):
    record(t)
    t.write("file", "")
    report(t, "-d", "a/b/c")
    t.expect((t.dir / "a/b/c/index.html").is_file(), "a new folder")
    for folder, word in (("file", "Not a directory"), ("file/x", "Not a directory"), ("", "No such file"),
                         ("/proc/x", "No such file"), ("/dev/null", "Not a directory")):
        run = report(t, "-d", folder, status=1)
        t.expect(word in run.errors and run.errors.count("\n") == 1, f"an error for {folder}", run)


@case(only=ONE)
def settings(t):
    record(t)
    t.write("red.css", "body { background: red }")
    t.write(".coveragerc", "[html]\ndirectory = pages\ntitle = Mine & yours\nextra_css = red.css\nshow_contexts = yes\n"
                           "[report]\nfail_under = 99\nprecision = 1\n")
    run = report(t, status=2)
    t.expect("less than fail-under=99.0" in run.text, "the judgement", run)
    text = (t.dir / "pages/index.html").read_text()
    t.expect("<title>Mine &amp; yours</title>" in text, "the title", text[:500])
    t.expect("pycov-trace-extra.css" in text, "a style of one's own")
    t.expect_equal((t.dir / "pages/pycov-trace-extra.css").read_text(), "body { background: red }", "the style")
    report(t, "--rcfile=", "--fail-under=50", "--title=T", "-d", "others")
    t.expect("<title>T</title>" in (t.dir / "others/index.html").read_text(), "without settings")
    t.write(".coveragerc", "[html]\nextra_css = none.css\n")
    run = report(t, status=1)
    t.expect("none.css" in run.errors, "an error", run)
    report(t, "--rcfile=", "--include=nothing", status=1)
