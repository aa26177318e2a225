"""Every way a program ends: the same status, output and signal as without us, and what ran is in the data."""

import signal

from harness import CI, case  # noqa: F401

HEAD = "import os, signal, sys, threading\nprint('out', flush=True)  # hit\n"


def ends(t, tail, status, oracle=False):
    text = HEAD + tail
    path = t.write("app.py", text)
    run = t.both(t.py(path))
    t.expect_equal(run.status, status, f"status of {tail!r}")
    t.expect_marks(run, path, text)
    if oracle:
        t.expect_oracle(run, t.coverage(path))


@case()
def statuses(t):
    for n in (0, 1, 2, 3, 126, 127, 255):
        ends(t, f"sys.exit({n})  # hit\nx = 1  # miss\n", n)
    ends(t, "sys.exit(256 + 7)  # hit\n", 7)
    ends(t, "sys.exit('message')  # hit\nx = 1  # miss\n", 1)
    ends(t, "sys.exit(None)  # hit\n", 0)
    ends(t, "raise SystemExit(5)  # hit\n", 5)


@case()
def uncaught(t):
    ends(t, "def f():\n    raise KeyError('x')  # hit\nf()  # hit\nx = 1  # miss\n", 1, oracle=True)
    ends(t, "sys.excepthook = lambda *a: print('hook')  # hit\nraise KeyError  # hit\n", 1)
    ends(t, "raise KeyboardInterrupt  # hit\n", -signal.SIGINT)


@case()
def at_once(t):
    ends(t, "os._exit(7)  # hit\nx = 1  # miss\n", 7)
    ends(t, "threading.Thread(target=lambda: os._exit(9)).start()  # hit\nthreading.Event().wait()\n", 9)
    ends(t, "import ctypes\nctypes.CDLL(None)._exit(11)  # hit\nx = 1  # miss\n", 11)
    ends(t, "import ctypes\nctypes.CDLL(None).exit(12)  # hit\nx = 1  # miss\n", 12)


@case()
def signals(t):
    for name in ("SIGTERM", "SIGKILL", "SIGSEGV", "SIGABRT", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGALRM",
                 "SIGPIPE", "SIGILL", "SIGFPE", "SIGBUS", "SIGXCPU", "SIGTRAP", "SIGSYS"):
        number = getattr(signal, name)
        ends(t, f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nsignal.signal(signal.SIGPIPE, 0)\n"
                f"os.kill(os.getpid(), signal.{name})  # hit\nthreading.Event().wait(0 if {number} == 2 else None)\n",
             -number)
    ends(t, "signal.raise_signal(signal.SIGRTMIN + 3)  # hit\nx = 1  # miss\n", -(signal.SIGRTMIN + 3))


@case()
def crashes(t):
    limit = "import ctypes, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    ends(t, limit + "ctypes.string_at(0)  # hit\nx = 1  # miss\n", -signal.SIGSEGV)
    ends(t, limit + "os.abort()  # hit\nx = 1  # miss\n", -signal.SIGABRT)
    if t.python.name in ("pyenv-3.9", "debian-3.11", "sid-3.14"):  # it takes its second
        ends(t, limit + "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))  # hit\nwhile True:\n    x = 1  # hit\n",
             -signal.SIGKILL)
    ends(t, limit + "import faulthandler\nsys.stderr = open(os.devnull, 'w')\nfaulthandler.enable(sys.stderr)\n"
         "ctypes.string_at(0)  # hit\n", -signal.SIGSEGV)


@case()
def other_thread_alive(t):
    ends(t, "def f():\n    threading.Event().wait()  # hit\n"
         "threading.Thread(target=f, daemon=True).start()\nprint('end')  # hit\n", 0)
    ends(t, "def f():\n    while True:\n        x = 1  # hit\n"
         "threading.Thread(target=f, daemon=True).start()\nos.kill(os.getpid(), 9)  # hit\n", -9)


@case()
def main_thread_gone_first(t):
    ends(t, "import ctypes\ndef f():\n    print('thread')  # hit\n    os._exit(4)  # hit\n"
         "lock = threading.Lock()\nlock.acquire()\n"
         "def g():\n    lock.acquire()  # hit\n    f()  # hit\n"
         "threading.Thread(target=g).start()\nlock.release()  # hit\nthreading.Event().wait()\n", 4)


@case()
def exec_of_another(t):
    ends(t, "os.execv('/bin/sh', ['sh', '-c', 'echo from sh; exit 6'])  # hit\nx = 1  # miss\n", 6)
    ends(t, "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
         "os.execv('/bin/sh', ['sh', '-c', 'exit 8'])  # hit\nx = 1  # miss\n", 8)
    ends(t, "threading.Thread(target=lambda: os.execv('/bin/sh', ['sh', '-c', 'exit 8'])).start()  # hit\n"
         "threading.Event().wait()\n", 8)


@case()
def no_such_command(t):
    for argv, status in ((["no-such-command"], 127), (["./no-such-file"], 127), ([str(t.dir)], 126),
                         ([t.write("plain.txt", "text")], 126), (["/etc/passwd/x"], 126)):
        run = t.trace(argv)
        t.expect_equal(run.status, status, f"status of {argv}")
        t.expect(argv[0] in run.errors and run.errors.count("\n") == 1, "one line should name it", run)
        t.expect_equal(run.data, None, "data file")
        t.expect_equal(run.out, b"", "output")


@case()
def wrong_options(t):
    for option, right in (("--data-fil=x", "--data-file"), ("--omitt=x", "--omit"), ("--verbos", "--verbose"),
                          ("--soucre", "--source"), ("--includ", "--include"), ("--hlep", "--help"),
                          ("--xyzzyxyzzy", None), ("-Z", None)):
        run = t.run([t.program, option, "--", "true"])
        if run.status == 0 and right and right.startswith(option.split("=")[0]):
            continue  # an abbreviation is as good
        t.expect_equal(run.status, 2, f"status of {option}")
        t.expect(option.split("=")[0] in run.errors, "it is not named", run)
        t.expect(right is None or right in run.errors, f"{right} is not proposed", run)
    for argv in ([], ["--"], ["--data-file"], ["--source"]):
        run = t.run([t.program, *argv])
        t.expect_equal(run.status, 2, f"status of {argv}")
        t.expect(run.err and not run.out, "a message on stderr", run)


@case()
def help_and_version(t):
    for option in ("--help", "-h"):
        run = t.run([t.program, option])
        t.expect(run.status == 0 and run.text.startswith("usage:") and not run.err, option, run)
    run = t.run([t.program, "--version"])
    t.expect(run.status == 0 and run.text.startswith("pycov-trace ") and not run.err, "--version", run)


@case()
def options_end_at_the_command(t):
    path = t.write("app.py", "import sys\nprint(sys.argv[1:])  # hit\n")
    run = t.run([t.program, "--data-file", t.data_file, *t.py(path, "--help", "-v", "--", "--data-file", "x")])
    t.expect(run.status == 0 and run.text == "['--help', '-v', '--', '--data-file', 'x']\n", "arguments", run)


@case()
def children_in_background(t):
    """$(pycov-trace ...) and pipes end with the command, whatever lives on with descriptors of its own."""
    path = t.write("app.py", "import os, subprocess, sys\nfifo = sys.argv[1]\n"
                   "subprocess.Popen(['sh', '-c', 'exec >/dev/null 2>&1 </dev/null; read line <' + fifo], "
                   "start_new_session=True)\nprint('started')  # hit\n")
    fifo = t.dir / "fifo"
    import os

    os.mkfifo(fifo)
    first, second = (" ".join([t.program, "--data-file", f"{t.dir}/data{i}", "--", *t.py(path, fifo)]) for i in (1, 2))
    run = t.run(["sh", "-c", f'x=$({first}); echo "got $x"; {second} 2>&1 | cat; echo end'], leave=True)
    t.expect(run.text == "got started\nstarted\nend\n", "output", run)
    held = []
    for _ in range(2):
        held.append(os.open(fifo, os.O_RDWR))
        os.write(held[-1], b"\n\n\n")
    t.expect_nobody_left()
    for fd in held:
        os.close(fd)
