"""The HTML report in a browser: sorting, filtering, keys, contexts, and how long that takes with much of it.

Chromium is driven through chromedriver, by the W3C's WebDriver protocol: JSON over HTTP. It takes seconds to start, and
many of them on a machine that does other things: all parts are looked at in one window.
"""

import base64
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

from harness import CI, FULL, LIMIT, Failure, Skip, case

ONE = "pyenv-3.12"  # no Python takes part in it
PATIENCE = 3 * LIMIT  # seconds, for anything that the browser does
START = 6 * LIMIT

SHOP = '''\
"""A shop."""


class Cart:
    def __init__(self, *items):
        self.items = list(items)

    def total(self, discount=None):
        if discount:
            return (
                1 - discount
            )
        return 0

    def never(self):
        return 1

    def other(self):  # pragma: no cover
        return 2


def dump(cart):
    return cart.items


Cart().total()
'''


def find_browser():
    driver, browser = shutil.which("chromedriver"), shutil.which(os.environ.get("PYCOV_TRACE_BROWSER", "chromium"))
    if not driver or not browser:
        raise (Failure if FULL or CI else Skip)("no chromium and chromedriver")
    return driver, browser


class Browser:
    """A window of Chromium."""

    def __init__(self, t):
        driver, browser = find_browser()
        self.report = None  # the folder
        self.home = t.dir / "browser"
        self.home.mkdir()
        env = dict(t.env, TMPDIR=str(self.home), HOME=str(self.home))
        self.driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
                                       start_new_session=True)
        try:
            self.base = f"http://127.0.0.1:{self.port()}/session"
            self.start(browser)
        except BaseException:
            self.close()
            raise

    def port(self):
        """Where the driver listens."""
        text, end = b"", time.monotonic() + START
        while not (found := re.search(rb"started successfully on port (\d+)", text)):
            if not select.select([self.driver.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"chromedriver is not ready within {START} s: {text!r}")
            more = os.read(self.driver.stdout.fileno(), 4096)
            if not more:
                raise Failure(f"chromedriver does not start: {text!r}")
            text += more
        return int(found[1])

    def start(self, browser):
        args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900",
                f"--user-data-dir={self.home}/profile", "--host-resolver-rules=MAP * ~NOTFOUND"]
        session = self.ask("", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": browser, "args": args}, "goog:loggingPrefs": {"browser": "ALL"}}}}, limit=START)
        self.base += "/" + session["sessionId"]
        self.ask("/timeouts", {"pageLoad": 1000 * START, "script": 1000 * START})

    def ask(self, path, body=None, method="POST", limit=START):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=limit) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise Failure(f"{path}: {e.read().decode(errors='replace')[:2000]}") from None
        except OSError as e:
            raise Failure(f"{path}: {e}") from None

    def close(self):
        os.killpg(self.driver.pid, signal.SIGKILL)  # the browser, too
        self.driver.wait()
        self.driver.stdout.close()

    def open(self, name):
        self.ask("/url", {"url": f"file://{self.report}/{name}"})

    def page_of(self, name):
        return next(self.report.glob(f"z_*_{re.sub(r'[^a-zA-Z0-9]', '_', name)}.html")).name

    def run(self, script, *args):
        """What the body of a function returns."""
        return self.ask("/execute/sync", {"script": script, "args": list(args)})

    def keys(self, text):
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.ask("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        element = self.ask("/element", {"using": "css selector", "value": selector})
        self.ask(f"/element/{next(iter(element.values()))}/click")

    def timed(self, script):
        """The seconds until what the script did has been drawn."""
        return self.ask("/execute/async", {"script": "const done = arguments[0], start = performance.now();" + script + (
            "; requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000)))"), "args": []})

    def wait(self, script, what):
        end = time.monotonic() + PATIENCE
        while not self.run(f"return {script}"):
            if time.monotonic() > end:
                raise Failure(f"not within {PATIENCE} s: {what}: {script}")
            time.sleep(0.05)

    def size(self, width, height):
        self.ask("/window/rect", {"width": width, "height": height})

    def dark(self, value):
        self.ask("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if value else "light"}]}})

    def forget(self):
        """What the reader of a report has chosen."""
        self.open("index.html")
        self.run("localStorage.clear()")

    def problems(self):
        """What the pages have complained of: errors of scripts, files that are not there."""
        return [entry["message"] for entry in self.ask("/se/log", {"type": "browser"})]

    def picture(self, name):
        """For people: a screenshot in the folder that $PYCOV_TRACE_PICTURES names."""
        folder = os.environ.get("PYCOV_TRACE_PICTURES")
        if folder:
            with open(os.path.join(folder, f"{name}.png"), "wb") as f:
                f.write(base64.b64decode(self.ask("/screenshot", method="GET")))


ROWS = "[...document.querySelectorAll('tbody tr')].map(r => r.cells[%d].textContent.trim())"
CHOSEN = "return [...document.querySelectorAll('p.chosen')].map(p => Number(p.id.slice(1)))"


def html(t, *options):
    run = t.run([t.program, "html", *options], limit=6 * LIMIT)
    t.expect(run.status == 0, "a report", run)


def record(t, name, text, *options):
    run = t.run([t.program, "--data-file=.coverage", "--append", *options, "--", *t.py(t.write(name, text))])
    t.expect(run.status == 0, "a run", run)


def make_the_tables(t):
    record(t, "shop.py", SHOP)
    record(t, "all.py", "x = 1\n")
    record(t, "Some.py", "x = 1\nif x > 1:\n    x = 2\n    x = 3\n")
    html(t)


def the_tables(t, b):
    def rows(column=0):
        return b.run("return " + ROWS % column)

    def total():
        return b.run("return [...document.querySelector('tfoot tr').cells].map(c => c.textContent.trim())")

    b.open("index.html")
    b.picture("index")
    t.expect_equal(rows(), ["all.py", "shop.py", "Some.py"], "by name")
    whole = total()
    for key, expected in (("c", ["Some.py", "shop.py", "all.py"]), ("c", ["all.py", "shop.py", "Some.py"]),
                          ("s", ["shop.py", "Some.py", "all.py"]), ("m", ["shop.py", "Some.py", "all.py"]),
                          ("x", ["shop.py", "all.py", "Some.py"]), ("f", ["all.py", "shop.py", "Some.py"]),
                          ("f", ["Some.py", "shop.py", "all.py"])):
        b.keys(key)
        t.expect_equal(rows(), expected, f"after {key}")
    b.click("#missing button")
    t.expect_equal(b.run("return document.getElementById('missing').ariaSort"), "descending", "the direction")
    b.open("index.html")
    t.expect_equal(rows(), ["shop.py", "Some.py", "all.py"], "the order is kept")
    b.keys("/s")
    t.expect_equal(rows(), ["shop.py", "Some.py"], "what has an s")
    b.keys("o")
    t.expect_equal((rows(), total()[1:3]), (["Some.py"], ["4", "2"]), "the total of what is shown")
    t.expect_equal(total()[-1], "50%", "its percentage")
    b.run("document.getElementById('filter').value = 'S'; document.getElementById('filter').dispatchEvent(new Event('input'))")
    t.expect_equal(rows(), ["Some.py"], "capitals are meant")
    b.keys("\ue003\ue00c")  # backspace, escape
    t.expect_equal((len(rows()), total()), (3, whole), "all again")
    b.click("#hide-covered")
    t.expect_equal(rows(), ["shop.py", "Some.py"], "covered ones are hidden")
    b.open("function_index.html")
    t.expect("dump" in rows(1) and "Cart.__init__" not in rows(1), "hidden there, too", rows(1))
    b.keys("n")
    b.picture("functions")
    t.expect_equal(rows(1)[:2], ["(no function)", "Cart.never"], "by the function's name")
    b.keys("?")
    t.expect_equal(b.run("return document.getElementById('help').hidden"), False, "help")
    b.picture("help")
    b.keys("\ue00c")
    t.expect_equal(b.run("return document.getElementById('help').hidden"), True, "no help")
    b.click("#hide-covered")
    b.keys("]")
    b.wait("document.title === 'Some.py'", "the first file")


def make_the_sources(t):
    record(t, "shop.py", SHOP, "--context=<one> & two")
    record(t, "all.py", "x = 1\n")
    html(t, "--show-contexts")


def the_sources(t, b):
    def colour(n):
        return b.run("return getComputedStyle(document.getElementById('t' + arguments[0])).backgroundColor", n)

    def chosen():
        return b.run(CHOSEN)

    b.open(b.page_of("shop.py"))
    b.picture("source")
    plain = colour(2)
    t.expect(colour(16) != plain and colour(18) != plain and colour(5) == plain, "missing and excluded lines are marked")
    b.keys("r")
    t.expect(colour(5) != plain, "executed lines, after r")
    b.keys("rm")
    t.expect(colour(5) == plain and colour(16) == plain, "after r and m")
    b.keys("m1")
    t.expect_equal(chosen(), [10, 11, 12], "the first chunk: a statement of three lines")
    b.keys("j")
    t.expect_equal(chosen(), [16], "j")
    b.keys("j")
    t.expect_equal(chosen(), [18, 19], "j again: an excluded function")
    b.keys("jj")
    t.expect_equal(chosen(), [23], "the last one stays")
    b.keys("kk")
    t.expect_equal(chosen(), [16], "k")
    b.keys("x1jj")
    t.expect_equal(chosen(), [23], "without excluded ones")
    b.keys("xkkkkkk")
    t.expect_equal(chosen(), [10, 11, 12], "the first one stays")
    b.click("#t5 .who")
    t.expect_equal(b.run("return document.querySelector('#t5 li').textContent"), "<one> & two", "who ran it")
    b.picture("contexts")
    b.click("#t5 .who")
    t.expect_equal(b.run("return document.querySelector('#t5 li')"), None, "folded again")
    b.keys("[")
    b.wait("document.title === 'all.py'", "[: the file before")
    b.keys("]")
    b.wait("document.title === 'shop.py'", "]: the file behind")
    b.keys("u")
    b.wait("document.title === 'Coverage report'", "u: the index")
    b.open(b.page_of("shop.py") + "#t16")
    b.keys("k")
    t.expect_equal(chosen(), [10, 11, 12], "from the line of the address")


def make_narrow_and_dark(t):
    record(t, "a/very/long/way/to/go/there/with_a_long_name_of_a_module.py", "x = 1  # " + "word " * 50 + "\n" + SHOP)
    html(t, "--show-contexts")


def narrow_and_dark(t, b):
    """Nothing is wider than a phone; in the dark the text is light."""
    b.size(500, 800)
    b.ask("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
        "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}})
    for name in ("index.html", "function_index.html", b.page_of("with_a_long_name_of_a_module.py")):
        for dark in (False, True):
            b.dark(dark)
            b.open(name)
            b.picture(f"phone-{name[:10]}-{'dark' if dark else 'light'}")
            wide = b.run("return document.documentElement.scrollWidth")
            t.expect(wide <= 360, f"{name} fits", wide)
            back, text = (sum(map(int, re.findall(r"\d+", c)[:3])) for c in b.run(
                "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"))
            t.expect((back < text) == dark, f"{name}: light and dark", back, text)


# ------------------------------------------------------------------------------------------------------------ much


def numbits(lines):
    bits = bytearray(max(lines) // 8 + 1)
    for line in lines:
        bits[line // 8] |= 1 << line % 8
    return bytes(bits)


def write_much(t, files, functions, lines):
    """A data file of @files files with @functions functions each, and one of @lines lines."""
    names = [f"package{i % 50}/module{i}.py" for i in range(files)]
    text = "".join(f"def function_{i}(a):\n    if a:\n        return {i}\n    return 0\n\n\n" for i in range(functions))
    for name in names:
        t.write(name, text)
    t.write("long.py", "".join(f"x{i} = '{i}'  # a comment\n" for i in range(lines)))
    run = t.run([t.program, "--data-file=.coverage", "--", *t.py(t.write("empty.py", "x = 1\n"))])
    t.expect(run.status == 0, "a run", run)
    db = sqlite3.connect(t.dir / ".coverage")
    context = db.execute("select id from context").fetchone()[0]
    starts = range(1, 6 * functions, 6)
    executable = numbits([line + i for line in starts for i in range(4)])
    for i, name in enumerate([*names, "long.py"]):
        every = numbits(range(1, lines + 1)) if name == "long.py" else executable
        ran = numbits(range(1, lines + 1, 2)) if name == "long.py" else numbits(
            [line + j for n, line in enumerate(starts) for j in ((0, 1, 2) if (n + i) % 3 else (0,))])
        file = db.execute("insert into file (path) values (?)", [str(t.dir / name)]).lastrowid
        db.execute("insert into line_bits values (?, ?, ?)", [file, context, ran])
        db.execute("insert into pycov_trace_executable values (?, ?)", [file, every])
    db.commit()
    db.close()


FILES, FUNCTIONS, LINES = (5000, 10, 50000) if FULL else (1200, 2, 5000)


def make_much_of_it(t):
    write_much(t, FILES, FUNCTIONS, LINES)
    html(t)


def much_of_it(t, b):
    files, functions, lines = FILES, FUNCTIONS, LINES
    spent = {}

    def spend(what, script):
        spent[what] = b.timed(script)

    start = time.monotonic()
    b.open("index.html")
    b.wait("!!window.pycovTable", "the table")
    spent["open files"] = time.monotonic() - start
    t.expect_equal(b.run("return pycovTable.rows.length"), files + 2, "rows")
    spend("sort files", "document.querySelector('#coverage button').click()")
    spend("filter files", "filter.value = 'module77'; filter.dispatchEvent(new Event('input'))")
    t.expect_equal(b.run("return document.querySelectorAll('tbody tr').length"), 11, "rows with module77")
    b.run("filter.value = ''; filter.dispatchEvent(new Event('input'))")
    b.run("scrollTo(0, document.documentElement.scrollHeight)")
    b.wait("document.querySelectorAll('tbody tr').length > 500", "more rows at the end")
    start = time.monotonic()
    b.open("function_index.html")
    b.wait("!!window.pycovTable", "the table of functions")
    spent["open functions"] = time.monotonic() - start
    t.expect_equal(b.run("return pycovTable.rows.length"), files * (functions + 1) + 2, "functions")
    spend("sort functions", "document.querySelector('#region button').click()")
    spend("filter functions", "filter.value = 'module777 function_1'; filter.dispatchEvent(new Event('input'))")
    t.expect_equal(b.run("return document.querySelectorAll('tbody tr').length"), 1, "one function of a file")
    b.run("filter.value = ''; filter.dispatchEvent(new Event('input'))")
    start = time.monotonic()
    b.open(b.page_of("long.py"))
    b.wait("!!window.pycovSource", "the long file")
    spent["open the long file"] = time.monotonic() - start
    t.expect_equal(b.run("return document.querySelectorAll('#source p').length"), lines, "lines")
    spend("show and hide lines", "pycovSource.toggle('r')")
    spend("next lines", "for (let i = 0; i < 100; i++) pycovSource.next()")
    b.keys("rm")
    b.run("pycovSource.choose(arguments[0] - 1, arguments[0] + 1)", lines)
    b.wait(f"document.getElementById('t{lines}').getBoundingClientRect().top < innerHeight", "the last line is seen")
    b.picture("long")
    without_scripts(t, b, files + 2)
    if os.environ.get("PYCOV_TRACE_PICTURES"):
        print(", ".join(f"{what} {seconds:.2f} s" for what, seconds in spent.items()))
    for what in ("sort files", "filter files", "show and hide lines", "next lines"):
        t.expect(spent[what] < PATIENCE, f"{what} is quick", spent)


def without_scripts(t, b, expected):
    """All rows are shown where scripts are not allowed, those too that wait in long tables."""
    for scripts in True, False:
        b.ask("/goog/cdp/execute", {"cmd": "Emulation.setScriptExecutionDisabled", "params": {"value": not scripts}})
        b.open("index.html")
        rows = b.ask("/goog/cdp/execute", {"cmd": "Runtime.evaluate", "params": {"returnByValue": True, "expression": (
            "[...document.querySelectorAll('tbody tr')].filter(r => r.offsetHeight).length")}})["result"].get("value")
        t.expect(rows < expected if scripts else rows == expected, f"all rows, scripts: {scripts}", rows)
    b.ask("/goog/cdp/execute", {"cmd": "Emulation.setScriptExecutionDisabled", "params": {"value": False}})


PARTS = ((make_the_tables, the_tables), (make_the_sources, the_sources), (make_much_of_it, much_of_it),
         (make_narrow_and_dark, narrow_and_dark))


@case(only=ONE)
def pages(t):
    find_browser()
    for make, part in PARTS:
        make(t)
        (t.dir / "htmlcov").rename(t.dir / part.__name__)
        (t.dir / ".coverage").unlink()
    browser = Browser(t)
    try:
        for _, part in PARTS:
            browser.report = t.dir / part.__name__
            part(t, browser)
            t.expect_equal(browser.problems(), [], f"complaints of the browser: {part.__name__}")
            browser.forget()
    finally:
        browser.close()
