"""Servers under load are attached to again and again: no request fails, and what is recorded is what coverage.py sees."""

import ast
import json
import os
import re
import signal
import subprocess
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
    """A case for these interpreters; in the full run for one of each version."""
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


def start(t, argv, env, workers, word=None):
    """A server that listens, with @workers, each of which has said @word when it had imported what it runs."""
    server = Server(t, argv, env)
    server.wait_until("the socket", lambda: listens(t.dir / "socket"))
    server.pids = server.wait_until("workers", lambda: processes_of(server, workers))
    if word:
        server.wait_until(f"{workers} times {word!r}", lambda: server.say().count(word) == workers)
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


def oracle(t, arguments, env, names, workers, concurrency, word):
    """One worker, as gunicorn waits at the end for those of gevent that were never asked; killed before its end, that would
    have no data."""
    fewer = {"--workers=4": "--workers=1", "--graceful-timeout=5": f"--graceful-timeout={SLOW}"}
    one = [fewer.get(a, a) for a in arguments]
    argv, env, folder = under_coverage(t, one, env, concurrency)
    server = start(t, argv, env, min(workers, 1), word)
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
    wait_for(t, "a reset of all at once", lambda: ours.control("reset") == (0, ""))  # some sleep for a second each time
    load.ask_all_anew()
    status, _ = ours.control("save")
    t.expect_equal(status, 0, "save")
    expect_lines(t, recorded(t), expected, names)
    run = ours.leave()
    expect_lines(t, run, expected, names)
    expect_left(t, server, server.pids)


def again_and_again(t, server, expected, names, with_parent=True):
    """Attach to the server and its workers, or to the workers alone, which answer."""
    load = Load(t.dir / "socket")
    workers = server.pids[1:] or server.pids
    for i in range(ROUNDS):
        if i % 10 == 0 and with_parent and server.pids[1:]:
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


def serve(t, arguments, env, names, workers=0, concurrency="thread", word=None):
    """A server that the interpreter runs with @arguments, whose requests are answered by the files @names."""
    expected = oracle(t, arguments, env, names, workers, concurrency, word)
    t.expect_equal(sorted(expected), sorted(names), "files that coverage.py records")
    server = start(t, t.py(*arguments), env, workers, word)
    again_and_again(t, server, expected, names)
    stop(t, server)


# ---------------------------------------------------------------------------------------------------------- cases


@case(only=VERSIONS)
def http_server(t):
    serve(t, [HERE / "serve_threaded.py", t.dir / "socket"], environment(t), ["handler.py", "threaded.py"])


@case(only=VERSIONS)
def asyncio_streams(t):
    serve(t, [HERE / "serve_streams.py", t.dir / "socket"], environment(t), ["handler.py", "streams.py"])


GUNICORN = """\
def post_worker_init(worker):
    print("has imported", flush=True)
"""


def gunicorn(t, *options, **more):
    arguments = ["-m", "gunicorn", f"--config={t.write('hooks.py', GUNICORN)}", "--workers=4", "--timeout=0",
                 "--keep-alive=600", "--graceful-timeout=5", *options, f"--bind=unix:{t.dir}/socket",
                 f"--worker-tmp-dir={t.dir}", "wsgi:application"]
    serve(t, arguments, packages(t), ["handler.py", "wsgi.py"], workers=4, word="has imported", **more)


@heavy("pyenv-3.12 debian-3.11 sid-3.15")
def gunicorn_sync(t):
    gunicorn(t)


@heavy("pyenv-3.13")
def gunicorn_threads(t):
    gunicorn(t, "--worker-class=gthread", "--threads=4")


@heavy("sid-3.14")
def gunicorn_gevent(t):
    gunicorn(t, "--worker-class=gevent", concurrency="gevent")


@heavy("pyenv-3.9 sid-3.15")
def uvicorn(t):
    serve(t, ["-m", "uvicorn", "--uds", t.dir / "socket", "--timeout-keep-alive=600", "--lifespan=off", "--no-access-log",
              "--loop=asyncio", "asgi:application"], packages(t), ["asgi.py", "handler.py"])


@heavy("sid-3.14")
def uvicorn_uvloop(t):
    serve(t, ["-m", "uvicorn", "--uds", t.dir / "socket", "--timeout-keep-alive=600", "--lifespan=off", "--no-access-log",
              "--loop=uvloop", "asgi:application"], packages(t), ["asgi.py", "handler.py"])


@heavy("pyenv-3.12")
def uvloop_streams(t):
    serve(t, [HERE / "serve_streams.py", t.dir / "socket", "uvloop"], packages(t), ["handler.py", "streams.py"])


@heavy("debian-3.11 sid-3.15")
def development_mode(t):
    """Memory is checked, asyncio looks at itself, and faulthandler is there."""
    env = dict(environment(t), PYTHONDEVMODE="1")
    serve(t, [HERE / "serve_streams.py", t.dir / "socket"], env, ["handler.py", "streams.py"])


ASK_WSGI = """\
import io, json, sys, wsgi
for method, path, body in json.loads(sys.argv[1]):
    body = body.encode()
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    wsgi.application(environ, lambda status, headers: None)
"""


def requests_as_text():
    return json.dumps([(method, path, body.decode()) for method, path, body in REQUESTS])


def driven(t, env, script, names):
    """What coverage.py records when @script asks for everything."""
    argv, env, folder = under_coverage(t, [t.write("ask.py", script), requests_as_text()], env)
    run = t.run(argv, env=env, limit=SLOW, leave=True)
    t.expect_equal(run.status, 0, f"the oracle: {run}")
    return within_functions(merged(folder), names)


@case(only="debian-3.11")
def uwsgi(t):
    """It opens its Python plugin after it has started, and is no program that coverage.py could start."""
    if not os.path.exists("/usr/lib/uwsgi/plugins/python3_plugin.so"):
        raise Skip("no uwsgi with its Python plugin: apt-get install uwsgi-core uwsgi-plugin-python3")
    env, names = environment(t), ["handler.py", "wsgi.py"]
    expected = driven(t, env, ASK_WSGI, names)
    server = start(t, ["uwsgi", "--plugin=python3", "--master", "--processes=4", "--die-on-term", "--disable-logging",
                       f"--http11-socket={t.dir}/socket", "--socket-timeout=600",
                       "--module=wsgi:application"], env, 4)
    again_and_again(t, server, expected, names, with_parent=False)  # that never wakes to run Python
    stop(t, server)


ASK_TASKS = """\
import json, sys, tasks
for request in json.loads(sys.argv[1]):
    tasks.answer(*request)
try:
    tasks.fail("wrong")
except ValueError:
    pass
"""


class Tasks:
    """A program that gives tasks to the workers all the time, and says so each time that all were done."""

    def __init__(self, t, env):
        self.t, self.talk = t, Talk(t, t.py("-u", HERE / "ask_tasks.py", requests_as_text()), traced=False, env=env)
        self.clients = []

    def ask_all_anew(self):
        """Until all were asked for from the beginning: what was said before counts for nothing, and what is being asked."""
        os.set_blocking(self.talk.process.stdout.fileno(), False)
        while self.talk.process.stdout.read():
            pass
        os.set_blocking(self.talk.process.stdout.fileno(), True)
        self.talk.seen = b""
        for _ in range(3):
            self.talk.line()

    def end(self):
        self.talk.process.stdin.close()
        while not (line := self.talk.line()).startswith("wrong"):
            pass
        self.t.expect(line.startswith("wrong 0 "), "answers", line)
        self.t.expect_equal(self.talk.process.wait(LIMIT), 0, "status of who asks")


def redis(t):
    """A broker of the test's own, which keeps nothing. The package of its tools has the program under another name."""
    program = "/usr/bin/redis-check-rdb"
    if not os.path.exists(program):
        raise Skip("no redis: apt-get install redis-tools")
    log = open(t.dir / "redis.log", "wb")
    process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", str(t.dir / "redis"), "--save", "",
                                "--appendonly", "no"], executable=program, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               cwd=t.dir, start_new_session=True)
    log.close()
    wait_for(t, "redis", lambda: listens(t.dir / "redis"))
    return process


@heavy("pyenv-3.9 pyenv-3.13")
def celery(t):
    """A worker with two processes, whose tasks come through Redis."""
    env, names = packages(t), ["handler.py", "tasks.py"]
    broker = redis(t)
    expected = driven(t, env, ASK_TASKS, names)
    server = Server(t, t.py("-m", "celery", "-A", "tasks", "worker", "--pool=prefork", "-c", 2, "-l", "warning",
                            "--without-gossip", "--without-mingle", "--without-heartbeat"), env)
    server.pids = server.wait_until("workers", lambda: processes_of(server, 2))
    load = Tasks(t, env)
    for i in range(ROUNDS):
        one_round(t, server, load, expected, names, *((["--with-children"], server.pids[:1]) if i % 10 == 0 else
                                                      ([], server.pids[1:])))
    load.end()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(SLOW)
    broker.terminate()
    broker.wait(LIMIT)
    t.expect(not re.search("CRITICAL|WorkerLost", server.say()), "what the server says", server.say())
