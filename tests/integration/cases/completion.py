"""Shell completions, in the shells themselves: a line is typed in a terminal, and what it has become is printed."""

import os
import pty
import select
import shutil
import subprocess
import termios
import time

from harness import LIMIT, Failure, Skip, case

ONE = "debian-3.11"  # no Python takes part in it

# In each: no prompt that moves, the completion from where it is installed, and a tab that never inserts itself.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='$ '; set +o history; . {file}\n"),
    "zsh": (["zsh", "-f", "-i"], "PS1='$ '; unsetopt zle_bracketed_paste prompt_sp; bindkey -e; fpath=({dir} $fpath); "
            "autoload -Uz compinit; compinit -D -u; zstyle ':completion:*' insert-tab false\n"),
    "fish": (["fish", "-i", "--no-config"], "function fish_prompt; echo '$ '; end; set fish_greeting; "
             "set fish_autosuggestion_enabled 0; source {file}\n"),
}
NAMES = {"bash": "pycov-trace", "zsh": "_pycov-trace", "fish": "pycov-trace.fish"}

# What is typed, a tab behind it; and the words it becomes.
LINES = [
    ("pycov-trace completi", ["pycov-trace", "completion"]),
    ("pycov-trace completion fi", ["pycov-trace", "completion", "fish"]),
    ("pycov-trace completion --he", ["pycov-trace", "completion", "--help"]),
    ("pycov-trace --par", ["pycov-trace", "--parallel-mode"]),
    ("pycov-trace -a --proc", ["pycov-trace", "-a", "--process-contexts"]),
    ("pycov-trace --data-file=a\\ f", ["pycov-trace", "--data-file=a file.txt"]),
    ("pycov-trace --data-file a\\ f", ["pycov-trace", "--data-file", "a file.txt"]),
    ("pycov-trace save a\\ f", ["pycov-trace", "save", "a file.txt"]),
    ("pycov-trace --sync lone_pr", ["pycov-trace", "--sync", "lone_program"]),
    ("pycov-trace --context a lone_pr", ["pycov-trace", "--context", "a", "lone_program"]),
    ("pycov-trace lone_pr", ["pycov-trace", "lone_program"]),
    ("pycov-trace -- lone_pr", ["pycov-trace", "--", "lone_program"]),
    ("pycov-trace -a -- cat a\\ f", ["pycov-trace", "-a", "--", "cat", "a file.txt"]),
    # what follows a program is not ours
    ("pycov-trace cat --par", ["pycov-trace", "cat", "--par"]),
]


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, argv, env, cwd):
        self.fd, inner = pty.openpty()
        attributes = termios.tcgetattr(inner)
        attributes[3] &= ~termios.ECHO  # what is typed before the shell is ready
        termios.tcsetattr(inner, termios.TCSANOW, attributes)
        termios.tcsetwinsize(inner, (50, 500)) if hasattr(termios, "tcsetwinsize") else set_size(inner)
        self.process = subprocess.Popen(argv, stdin=inner, stdout=inner, stderr=inner, env=env, cwd=cwd,
                                        preexec_fn=own_terminal, start_new_session=True)
        os.close(inner)
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, mark):
        """What was written up to @mark."""
        end = time.monotonic() + LIMIT
        while mark not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f"no {mark!r} within {LIMIT} s: {self.seen[-2000:]!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:  # EIO: its last process has gone
                raise Failure(f"the shell has ended: {self.seen[-2000:]!r}") from None
        before, _, self.seen = self.seen.partition(mark)
        return before

    def close(self):
        os.close(self.fd)
        self.process.kill()
        self.process.wait()


def own_terminal():
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def set_size(fd):
    import fcntl
    import struct

    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))


def complete(terminal, line):
    """The words that @line becomes by a tab. The line is never run: it becomes the arguments of another command."""
    terminal.type(f"{line}\t\x01show_words \x05\r")
    terminal.read_until("\x02")
    words = terminal.read_until("\x03")
    return words.split("\x04")[:-1]


def check_shell(t, shell):
    if not shutil.which(shell):
        raise Skip(f"no {shell}")
    folder = t.dir / "completions"
    file = t.write(f"completions/{NAMES[shell]}", t.run([t.program, "completion", shell]).out)
    t.write("a file.txt", "")
    t.write("bin/lone_program", "#!/bin/sh\n", mode=0o755)
    t.write("bin/pycov-trace", "#!/bin/sh\n", mode=0o755)
    t.write("bin/show_words", "#!/bin/sh\nprintf '\\002'; printf '%s\\004' \"$@\"; printf '\\003'\n", mode=0o755)
    argv, setup = SHELLS[shell]
    env = dict(t.env, TERM="xterm", PATH=f"{t.dir}/bin:/usr/bin:/bin", XDG_DATA_HOME=str(t.dir), XDG_CONFIG_HOME=str(t.dir))
    terminal = Terminal(argv, env, t.dir)
    try:
        terminal.type(setup.format(file=file, dir=folder).replace("\n", "\r"))
        for line, expected in LINES:
            t.expect_equal(complete(terminal, line), expected, f"{shell}: {line}")
    finally:
        terminal.close()


@case(only=ONE)
def in_bash(t):
    check_shell(t, "bash")


@case(only=ONE)
def in_zsh(t):
    check_shell(t, "zsh")


@case(only=ONE)
def in_fish(t):
    check_shell(t, "fish")


@case(only=ONE)
def bash_lists_all(t):
    """Every option of --help, and nothing else; also where "=" does not part words."""
    script = t.write("all.bash", t.run([t.program, "completion", "bash"]).text + "\n".join([
        "COMP_WORDS=(pycov-trace --) COMP_CWORD=1", "_pycov_trace", 'echo "${COMPREPLY[@]}"',
        "COMP_WORDBREAKS=' ' COMP_WORDS=(pycov-trace --data-file=al) COMP_CWORD=1", "_pycov_trace",
        'echo "${COMPREPLY[@]}"', ""]))
    run = t.run(["bash", script])
    t.expect(run.status == 0 and not run.err, "bash", run)
    offered, file = run.text.splitlines()
    named = {word.rstrip(",").partition("=")[0] for line in t.run([t.program, "--help"]).text.splitlines()
             for word in line.split()[:2] if line.startswith("  ") and word.startswith("--")}
    t.expect_equal({word.rstrip("=") for word in offered.split()}, named, "options offered")
    t.expect_equal(file, "--data-file=all.bash", "a file behind =")


@case(only=ONE)
def wrong_shell(t):
    for argv in (["completion"], ["completion", "csh"], ["completion", "bash", "zsh"]):
        run = t.run([t.program, *argv])
        t.expect(run.status == 2 and not run.out and "bash, zsh and fish" in run.errors, "wrong use", run)
    run = t.run(["sh", "-c", '"$1" completion bash >/dev/full', "-", t.program])
    t.expect(run.status == 1 and "No space left" in run.errors, "a full disk", run)
