"""fork, forkpty, posix_spawn, all of exec and all of spawn."""
import os
import sys
import threading

from children import command, say, status_of

EXEC = "execl execle execlp execlpe execv execve execvp execvpe".split()
SPAWN = "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe".split()


def in_fork():
    x = 1  # hit
    os._exit(7)  # hit


def in_forkpty():
    say("terminal", os.isatty(0))  # hit
    os._exit(8)  # hit


def arguments(name, kind, argv):
    """What execl(3) and its relatives want: a file, the words, the environment."""
    path = os.path.basename(argv[0]) if "p" in kind else argv[0]
    env = {"ONLY_" + name: "1", "PATH": os.environ["PATH"]}
    return [path] + (argv if "l" in kind else [argv]) + ([env] if "e" in kind else [])


def fork_exec(name):
    args = arguments(name, name[4:], command(name))
    pid = os.fork()
    if pid == 0:
        getattr(os, name)(*args)  # hit
        os._exit(99)  # miss
    say(name, status_of(pid))


def spawn(name):
    args = arguments(name, name[5:], command(name))
    say(name, getattr(os, name)(os.P_WAIT, *args))
    args = arguments(name, name[5:], command(name + "_nowait"))
    say(name, status_of(getattr(os, name)(os.P_NOWAIT, *args)))


def exec_by_thread(argv):
    os.execv(argv[0], argv)  # hit


def threads_exec(name):
    """The kernel gives the process id to the thread that execs; all others are gone."""
    argv = command(name)
    pid = os.fork()
    if pid == 0:
        for _ in range(4):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        threading.Thread(target=exec_by_thread, args=(argv,)).start()  # hit
        threading.Event().wait()
    say(name, status_of(pid))


def main():
    os.environ["PATH"] = os.path.dirname(sys.executable) + ":" + os.environ["PATH"]
    pid = os.fork()
    if pid == 0:
        in_fork()
    say("fork", status_of(pid))
    pid, fd = os.forkpty()
    if pid == 0:
        in_forkpty()
    say("forkpty", os.read(fd, 100), status_of(pid))
    os.close(fd)
    for name in "posix_spawn posix_spawnp".split():
        argv = command(name)
        path = os.path.basename(argv[0]) if name[-1] == "p" else argv[0]
        say(name, status_of(getattr(os, name)(path, argv, dict(os.environ, ONLY="1"))))
    for name in EXEC:
        fork_exec(name)
    for name in SPAWN:
        spawn(name)
    threads_exec("threads_exec")
    argv = command("last_exec")
    say("end")  # hit
    os.execv(argv[0], argv)  # hit


main()
