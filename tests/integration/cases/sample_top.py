"""`pycov-trace top`, in a terminal of our own: what it draws, and that the terminal is as before when it has ended."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import FULL, LIMIT, TARGETS, Failure, case
from processes import Talk

HERE = TARGETS / "sample"
ONE = None if FULL else "debian-3.11"
# What terminals are told: sequences of control characters, and the choice of a character set.
SEQUENCE = re.compile(rb"\x1b\[[0-9;?>]*[a-zA-Z]|\x1b[()][0-9AB]|\x1b[=>78c]|\x1b\][0-9]+[^\x07\x1b]*\x07|\x0e|\x0f")


def spin(t, *args):
    target = Talk(t, t.py(HERE / "spin.py", *args), traced=False)
    t.expect_equal(target.line(), "ready", "the target")
    return target


class Screen:
    """A program in a terminal."""

    def __init__(self, t, argv, term="xterm", rows=20, columns=100, **env):
        self.t, self.seen = t, b""
        self.master, self.slave = os.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [str(arg) for arg in argv], stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=t.dir,
            env={**t.env, "TERM": term, **env}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def size(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, *texts):
        """Until all of @texts were written since the last key."""
        end = time.monotonic() + LIMIT
        while not all(text.encode() in SEQUENCE.sub(b"", self.seen) for text in texts):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Failure(f"not on the screen: {texts}, but {SEQUENCE.sub(b' ', self.seen)[-3000:]!r}")
            self.seen += os.read(self.master, 65536)
        return SEQUENCE.sub(b"", self.seen).decode()

    def key(self, key):
        """Press a key, and have all drawn again."""
        self.seen = b""
        os.write(self.master, key + b"\x0c")

    def end(self):
        """Its status; the terminal is as it was."""
        end = time.monotonic() + LIMIT
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise Failure(f"no end: {SEQUENCE.sub(b' ', self.seen)[-3000:]!r}")
            if select.select([self.master], [], [], 0.01)[0]:
                self.seen += os.read(self.master, 65536)
        self.t.expect_equal(termios.tcgetattr(self.slave), self.before, "the terminal's settings")
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode


def top(t, target, *options, **more):
    return Screen(t, [t.program, "top", "-p", target.pid, "-d", "0.1", *options], **more)


def ends(t, target):
    target.process.stdin.close()
    t.expect_equal(target.process.wait(), 0, "the target's status")


@case()
def functions_and_lines(t):
    target = spin(t)
    screen = top(t, target)
    screen.wait_for(f"pid {target.pid}", "own%*", "function", "spin (spin.py)", "outer (spin.py)", "q quit")
    screen.key(b"l")
    screen.wait_for("line", "outer (spin.py:")
    screen.key(b"4")
    screen.wait_for("total s*")
    screen.key(b"q")
    t.expect_equal(screen.end(), 0, "status")
    ends(t, target)


@case(only=ONE)
def terminals(t):
    target = spin(t, "--hostile")
    for term in "xterm", "xterm-256color", "screen", "linux", "vt100", "ansi":
        for locale in "C", "C.UTF-8":
            screen = top(t, target, term=term, LC_ALL=locale, columns=200)
            # What all files have in common, which is more where the project is below /srv, is not shown.
            text = screen.wait_for("</script><b>&\"';\\x0a\\x1b[2J\\xff\\u202e (", "]]></title>&amp;\\x09\\x07\"/", "quit")
            t.expect("\x1b" not in text and "\x07" not in text, "a control character", term, locale, repr(text))
            screen.key(b"q")
            t.expect_equal(screen.end(), 0, f"status with {term}")
    ends(t, target)


@case(only=ONE)
def keys(t):
    target = spin(t)
    screen = top(t, target)
    screen.wait_for("spin (spin.py)")
    screen.key(b"?")
    screen.wait_for("sort by own or total time", "count the seconds from now on")
    screen.key(b"?")
    screen.wait_for("spin (spin.py)")
    screen.key(b"p")
    screen.wait_for("[paused]")
    screen.key(b"p")
    screen.wait_for("q quit")
    for key in b"r", b"\x1b[B", b"\x1b[A", b"\x1b[6~", b"\x1b[5~", b"g", b"\x0c", b"\x1b", b"\xff", b"1", b"2", b"3":
        screen.key(key)
    screen.wait_for("own s*")
    screen.key(b"\x03")  # Ctrl-C
    t.expect_equal(screen.end(), 0, "status")
    ends(t, target)


@case(only=ONE)
def sizes(t):
    target = spin(t)
    screen = top(t, target)
    screen.wait_for("spin (spin.py)")
    for rows, columns in (3, 10), (1, 1), (50, 300), (24, 80):
        screen.seen = b""
        screen.size(rows, columns)
        os.kill(screen.process.pid, signal.SIGWINCH)
        screen.wait_for(*([f"pid {target.pid}"[:columns], "q quit"] if columns > 10 else []))
    screen.key(b"q")
    t.expect_equal(screen.end(), 0, "status")
    ends(t, target)


@case(only=ONE)
def the_end_of_the_target(t):
    target = spin(t)
    screen = top(t, target)
    screen.wait_for("spin (spin.py)")
    screen.seen = b""
    ends(t, target)
    screen.wait_for("the process has ended")
    screen.key(b"q")
    t.expect_equal(screen.end(), 0, "status")


@case(only=ONE)
def signals(t):
    target = spin(t)
    for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
        screen = top(t, target)
        screen.wait_for("spin (spin.py)")
        screen.process.send_signal(number)
        t.expect_equal(screen.end(), 0, f"status after {number}")
    ends(t, target)


@case(only=ONE)
def no_terminal(t):
    target = spin(t)
    run = t.run([t.program, "top", "-p", target.pid], leave=True)
    t.expect_equal((run.status, run.out), (1, b""), "no terminal")
    t.expect("top needs a terminal" in run.errors, "no terminal", run)
    for term in "dumb", "no-such-terminal", "":
        screen = top(t, target, term=term)
        t.expect_equal(screen.end(), 1, f"status with TERM={term}")
        t.expect(f"the terminal (TERM={term}) is not known".encode() in screen.seen, "message", screen.seen)
    ends(t, target)
