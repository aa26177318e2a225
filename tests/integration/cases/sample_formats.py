"""`pycov-trace sample`: what is written, in every format and wherever it goes."""

import html
import json
import os
import re
import stat

import profiles
from harness import FULL, LIMIT, TARGETS, case
from processes import Talk, wait_for

from cases.html_browser import find_browser

HERE = TARGETS / "sample"
TWO = None if FULL else "debian-3.11 sid-3.15"
HOSTILE = "</script><b>&\"';\\x0a\\x1b[2J\\xff\\u202e"
HOSTILE_FILE = "/srv/]]></title>&amp;\\x09\\x07\"/" + "n" * 300 + ".py"


LINES = {text.strip(): n for n, text in enumerate((HERE / "spin.py").read_text().splitlines(), 1)}
CALL = LINES["function()"]
SPIN = {LINES[text] for text in ("n = 0", "while not done:", "n += 1")}


def spin(t, *args):
    target = Talk(t, t.py(HERE / "spin.py", *args), traced=False)
    t.expect_equal(target.line(), "ready", "the target")
    return target


def sample(t, target, *options, **more):
    run = t.run([t.program, "sample", "-p", target.pid, "-d", "0.5", *options], leave=True, **more)
    t.expect_equal(run.status, 0, f"status of sample {options}: {run}")
    return run


def sampled(t, target, name, *options):
    """The stacks of a profile; a busy machine may leave no sample to one."""
    path = t.dir / "profile"

    def stacks():
        sample(t, target, "-f", name, "-o", path, *options)
        found = profiles.READERS[name](path.read_bytes())
        return found if any(len(stack) > 1 for stack in found) else None  # not of the first thread alone

    return wait_for(t, f"samples in {name}", stacks)


def ends(t, target):
    target.process.stdin.close()
    t.expect_equal(target.process.wait(), 0, "the target's status")


def expect_spin(t, name, stacks, function, file):
    """All that ran is the spinning thread, in its three lines; the first thread waits, once it has come to it."""
    spinning = [stack for stack in stacks if len(stack) > 1]
    t.expect(spinning, f"a stack of the spinning thread in {name}", stacks)
    for stack in spinning:
        where = (name, stack)
        t.expect(all(len(frame) == 3 for frame in stack), "frames", *where)
        t.expect_equal([frame[0] for frame in stack[-2:]], ["outer", function], f"innermost functions of {where}")
        t.expect(stack[-1][1].endswith(file), "file", *where)
        t.expect(stack[-1][2] in SPIN and stack[-2][2] == CALL, "lines", *where)


@case(only=TWO)
def every_format(t):
    target = spin(t)
    for name in profiles.READERS:
        expect_spin(t, name, sampled(t, target, name), "spin", "spin.py")
    ends(t, target)


@case(only=TWO)
def hostile_names(t):
    target = spin(t, "--hostile")
    short = HOSTILE_FILE.rpartition("/")[2]
    for name in profiles.READERS:
        function, file = HOSTILE, short if name in ("folded", "flamegraph") else HOSTILE_FILE
        if name == "folded":
            function, file = (text.replace(";", "\\x3b") for text in (function, file))
        expect_spin(t, name, sampled(t, target, name), function, file)
    text = wait_for(t, "samples in the table", lambda: find(sample(t, target).text, HOSTILE))
    t.expect(all(c == "\n" or c.isprintable() for c in text), "the table", repr(text))
    ends(t, target)


def find(text, part):
    return text if part in text else None


@case(only=TWO)
def by_function_and_thread(t):
    target = spin(t)
    stacks = sampled(t, target, "folded", "--function", "--threads", "--idle", "--full-filenames")
    path = str(HERE / "spin.py")
    busy = [s for s in stacks if s[-1] == ("spin", path, 0)]
    t.expect(busy and busy[0][-2] == ("outer", path, 0), "the busy thread", stacks)
    t.expect(all(s[0][0].startswith("thread ") for s in stacks), "threads", stacks)
    wait_for(t, "the thread that waits", lambda: any(
        s[0][0] == f"thread {target.pid}" and s[1][0] == "<module>"
        for s in sampled(t, target, "folded", "--threads", "--idle")))
    ends(t, target)


@case(only="debian-3.11")
def where_it_goes(t):
    target = spin(t)
    # To standard output, where that is text; the words about it are on standard error.
    run = wait_for(t, "a table", lambda: found(sample(t, target), "outer (spin.py)"))
    t.expect(run.text.startswith(f"pid {target.pid}\n") and "function" in run.text, "the table", run)
    t.expect("samples in" in run.errors and "outer" not in run.errors, "standard error", run)
    run = wait_for(t, "stacks", lambda: found(sample(t, target, "-f", "folded", "-o", "-"), f"outer (spin.py:{CALL})"))

    # To a file of its own name, where no one reads it as text.
    run = sample(t, target, "-f", "flamegraph")
    t.expect_equal(run.out, b"", "standard output")
    names = [p.name for p in t.dir.glob("pycov-trace-*.svg")]
    t.expect(len(names) == 1 and names[0].startswith(f"pycov-trace-{target.pid}-") and names[0] in run.errors,
             "the default name", names, run)

    # A file is replaced as a whole: the same name, another file; a link stays one; nothing else is left.
    old = t.write("old.svg", "x" * 1000000, mode=0o640)
    os.link(old, t.dir / "other")
    (t.dir / "link.svg").symlink_to("old.svg")
    sample(t, target, "-f", "flamegraph", "-o", "link.svg")
    t.expect((t.dir / "link.svg").is_symlink(), "the link was replaced")
    t.expect_equal(stat.S_IMODE(os.stat(old).st_mode), 0o640, "mode")
    profiles.flamegraph((t.dir / "old.svg").read_bytes())
    t.expect_equal((t.dir / "other").stat().st_size, 1000000, "the old file")
    t.expect(not list(t.dir.glob("*~")), "a temporary file was left", os.listdir(t.dir))

    # What cannot be written is said before there is anything to lose.
    for where, why in (".", "Is a directory"), ("no/file", "No such file or directory"):
        run = t.run([t.program, "sample", "-p", target.pid, "-d", "100", "-o", where], leave=True)
        t.expect_equal((run.status, run.errors), (1, f"pycov-trace: cannot write {where}: {why}\n"), "refusal")
    ends(t, target)


def found(run, part):
    return run if part in run.text else None


# What a reader does: zoom, search, point at a frame, and go back. The rest of the line is what is then seen.
ACTIONS = """
<script><![CDATA[
(function () {
	const seen = {}, input = document.getElementById("search"), frames = document.querySelectorAll("#frames > svg");
	const find = function (name) {
		return Array.from(frames).find(function (f) { return f.querySelector("title").textContent.startsWith(name); });
	};
	const shown = function () { return Array.from(frames).filter(function (f) { return f.style.display !== "none"; }); };
	const press = function (key) { window.dispatchEvent(new KeyboardEvent("keydown", { key: key })); };
	const spin = find("spin ("), all = shown().length;

	seen.requests = performance.getEntriesByType("resource").length;
	seen.errors = 0;
	window.addEventListener("error", function () { seen.errors++; });
	spin.querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true }));
	seen.zoomed = [spin.getAttribute("width"), find("outer (").getAttribute("width"), find("outer (").classList.contains("above"),
		document.getElementById("reset").disabled, location.hash !== ""];
	document.getElementById("reset").click();
	seen.reset = [shown().length === all, document.getElementById("reset").disabled];
	input.value = "^OUTER";
	input.dispatchEvent(new Event("input"));
	seen.searched = [find("outer (").classList.contains("hit"), spin.classList.contains("hit"),
		document.getElementById("matched").textContent];
	input.value = "(";
	input.dispatchEvent(new Event("input"));
	seen.no_pattern = document.getElementById("matched").textContent.endsWith("100.00 %");
	press("Escape");
	seen.cleared = [input.value, document.getElementById("matched").textContent];
	spin.querySelector("rect").dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
	seen.details = document.getElementById("details").textContent.startsWith("spin (");
	press("/");
	seen.focus = document.activeElement === input;
	document.documentElement.setAttribute("data-seen", JSON.stringify(seen));
})();
]]></script></svg>
"""


@case(only="debian-3.11")
def in_a_browser(t):
    browser = find_browser()[1]
    target = spin(t)
    sampled(t, target, "flamegraph", "--function")
    ends(t, target)
    text = (t.dir / "profile").read_text()
    t.write("page.svg", text.rpartition("</svg>")[0] + ACTIONS)
    run = t.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 f"--user-data-dir={t.dir}/chromium", "--dump-dom", f"file://{t.dir}/page.svg"],
                env=dict(t.env, HOME=str(t.dir)), limit=6 * LIMIT)
    found = re.search(r'data-seen="([^"]*)"', run.text)
    t.expect(found, "the script did not get to its end", run)
    seen = json.loads(html.unescape(found[1]))
    count, part = seen["searched"][2].split(" matched, ")
    t.expect(count == "1" and 50 < float(part.removesuffix(" %")) <= 100, "matched", seen)  # a sample may meet the end
    t.expect_equal(seen, {
        "requests": 0, "errors": 0, "zoomed": ["100%", "100%", True, False, True], "reset": [True, True],
        "searched": [True, False, seen["searched"][2]], "no_pattern": True, "cleared": ["", ""], "details": True,
        "focus": True}, "what the browser shows")
