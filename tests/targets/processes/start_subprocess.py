"""The ways of subprocess, os.system and os.popen."""
import os
import subprocess
import sys

from children import command, say

run = lambda name, **how: say(name, subprocess.run(command(name), **how).returncode)  # hit


def before():
    x = 1  # hit
    return x  # hit


def main():
    run("run")
    run("no_close_fds", close_fds=False)
    run("preexec", preexec_fn=before)
    run("session", start_new_session=True)
    run("cwd", cwd="/")
    run("env_kept", env=dict(os.environ, ONLY_ADDED="1"))
    run("env_replaced", env={"ONLY": "1"})
    run("env_empty", env={})
    say(subprocess.run(command("isolated", "-I", "-S"), env={}).returncode)
    say(subprocess.call(command("call")))
    say(subprocess.check_output(command("check_output")))
    say(subprocess.run(" ".join(command("shell")) + " && echo of a shell", shell=True).returncode)
    say(subprocess.getoutput(" ".join(command("getoutput"))))
    p = subprocess.Popen(command("popen_pipe"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    say(p.communicate(b"x"), p.returncode)
    subprocess._USE_VFORK = False
    run("no_vfork")
    subprocess._USE_POSIX_SPAWN = True
    run("posix_spawn", close_fds=False)
    subprocess._USE_POSIX_SPAWN = False
    run("no_posix_spawn", close_fds=False)
    say(os.system(" ".join(command("system"))))
    with os.popen(" ".join(command("os_popen"))) as f:
        say(f.read())
    say("end")  # hit


main()
