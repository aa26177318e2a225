"""Servers under load are attached to again and again: no request fails, and what is recorded is what coverage.py sees."""

import ast
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import harness
from attaching import Attached, text_differences
from cases.servers import SLOW, Server, listens
from harness import FULL, LIMIT, TARGETS, Failure, Skip, case, read_data
from load import REQUESTS, Load, ask_all
from processes import Talk, recorded, tracer_of, wait_for

HERE = TARGETS / "servers"
ROUNDS = 100 if FULL else 2
VERSIONS = "pyenv-3.9 debian-3.11 pyenv-3.12 pyenv-3.13 sid-3.14 sid-3.15"


def heavy(only):
    """A case for these interpreters; in the full run for one of each version that was named as worth it."""
    return case(only=VERSIONS if FULL else only)


def environment(t, *folders):
    """For a server of our own: what it imports, and nothing written beside it."""
    path = [str(HERE), *map(str, folders)]
    return dict(t.env, PYTHONPATH=":".join(path), PYTHONDONTWRITEBYTECODE="1", TASKS=str(t.dir))


def packages(t):
    if t.python.servers == "-":
        raise Skip("no packages: tests/requirements-servers.txt")
    return environment(t, t.python.servers)


# --------------------------------------------------------------------------------------- what coverage.py records


def lines_of_functions(path):
    """Those within functions; all others run on import."""
    return {n for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for n in range(node.body[0].lineno, node.end_lineno + 1)}


def within_functions(data, names):
    """The lines of @data within the functions of the files @names, of those that have any."""
    found = {}
    for name in names:
        lines = data.get(str(HERE / name), set()) & lines_of_functions(HERE / name)
        if lines:
            found[name] = lines
    return found


def under_coverage(t, arguments, env, concurrency="thread"):
    """A command that runs @arguments of the interpreter under coverage.py, its environment, and where its data will be."""
    if t.python.coverage == "-":
        raise Skip("no coverage.py")
    folder = t.dir / "oracle"
    folder.mkdir()
    settings = t.write("oracle.ini", f"[run]\nparallel=True\nsigterm=True\nconcurrency={concurrency}\npatch=_exit\n"
                                     f"data_file={folder}/data\ninclude={HERE}/*\n")
    env = dict(env, PYTHONPATH=f"{env['PYTHONPATH']}:{t.python.coverage}")
    return t.py("-m", "coverage", "run", f"--rcfile={settings}", *arguments), env, folder


def merged(folder):
    data = {}
    for path in folder.glob("data*"):
        for name, lines in (read_data(path) or {}).items():
            data.setdefault(name, set()).update(lines)
    return data


# ----------------------------------------------------------------------------------------------------- one server


def start(t, argv, env, workers):
    server = Server(t, argv, env)
    server.wait_until("the socket", lambda: listens(t.dir / "socket"))
    server.pids = wait_for(t, "workers", lambda: processes_of(server, workers))
    return server


def processes_of(server, workers):
    """The server's process and its workers, once all are there."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [server.process.pid, *map(int, children)] if len(children) == workers else None


def stop(t, server):
    server.process.send_signal(signal.SIGTERM)
    try:
        status = server.process.wait(SLOW)
    except subprocess.TimeoutExpired:
        raise Failure(f"no end: {server.say()}") from None
    t.expect_nobody_left(SLOW)
    t.expect(status in (0, -signal.SIGTERM), "status", status, server.say())
    (t.dir / "socket").unlink(missing_ok=True)


def oracle(t, arguments, env, names, workers, concurrency):
    argv, env, folder = under_coverage(t, arguments, env, concurrency)
    server = start(t, argv, env, workers)
    for keeps in True, False:
        ask_all(t.dir / "socket", keeps)
    stop(t, server)
    return within_functions(merged(folder), names)


def expect_lines(t, run, expected, names):
    """Exactly those, and none of what ran on import."""
    data = run.data or {}
    for name in names:
        t.compare(data.get(str(HERE / name), set()), expected[name], name)


def expect_left(t, server, pids):
    for pid in pids:
        t.expect_equal(tracer_of(pid), 0, f"TracerPid of {pid}")
    t.expect_equal(processes_of(server, len(server.pids) - 1), server.pids, f"processes: {server.say()}")


def one_round(t, server, load, expected, names, options, pids):
    """Attach, reset, save, leave."""
    ours = Attached(t, *pids, options=options)
    load.ask_all_anew()
    t.expect_equal(ours.control("reset"), (0, ""), "reset")
    load.ask_all_anew()
    status, _ = ours.control("save")
    t.expect_equal(status, 0, "save")
    expect_lines(t, recorded(t), expected, names)
    run = ours.leave()
    expect_lines(t, run, expected, names)
    expect_left(t, server, server.pids)


def again_and_again(t, server, expected, names):
    """Attach to the server and its workers, or to the workers alone, which answer."""
    load = Load(t.dir / "socket")
    workers = server.pids[1:] or server.pids
    for i in range(ROUNDS):
        if i % 10 == 0 and server.pids[1:]:
            one_round(t, server, load, expected, names, ["--with-children"], server.pids[:1])
        else:
            one_round(t, server, load, expected, names, [], workers)
        t.expect(not any(c.failures for c in load.clients), f"round {i}", *[c.failures for c in load.clients], server.say())
    load.ask_all_anew()
    requests, failures = load.end()
    t.expect_equal(failures, [], f"failures of {requests} requests; {server.say()}")
    for pid in server.pids:
        wait_for(t, "all instructions as before", lambda: not text_differences(pid, within=True))
    t.expect(not re.search("Traceback|(?i:timeout)|CRITICAL", server.say()), "what the server says", server.say())


def serve(t, arguments, env, names, workers=0, concurrency="thread"):
    """A server that the interpreter runs with @arguments, whose requests are answered by the files @names."""
    expected = oracle(t, arguments, env, names, workers, concurrency)
    t.expect_equal(sorted(expected), sorted(names), "files that coverage.py records")
    server = start(t, t.py(*arguments), env, workers)
    again_and_again(t, server, expected, names)
    stop(t, server)


# ---------------------------------------------------------------------------------------------------------- cases


@case(only=VERSIONS)
def http_server(t):
    serve(t, [HERE / "serve_threaded.py", t.dir / "socket"], environment(t), ["handler.py", "threaded.py"])


@case(only=VERSIONS)
def asyncio_streams(t):
    serve(t, [HERE / "serve_streams.py", t.dir / "socket"], environment(t), ["handler.py", "streams.py"])


def gunicorn(t, *options, **more):
    arguments = ["-m", "gunicorn", "--workers=4", "--timeout=0", "--keep-alive=600", "--graceful-timeout=1", *options,
                 f"--bind=unix:{t.dir}/socket", f"--worker-tmp-dir={t.dir}", "wsgi:application"]
    serve(t, arguments, packages(t), ["handler.py", "wsgi.py"], workers=4, **more)


@heavy("debian-3.11")
def gunicorn_sync(t):
    gunicorn(t)


@heavy("none")
def gunicorn_threads(t):
    gunicorn(t, "--worker-class=gthread", "--threads=4")


@heavy("pyenv-3.9 sid-3.14")
def gunicorn_gevent(t):
    gunicorn(t, "--worker-class=gevent", concurrency="gevent")
