"""Servers and tools with worker processes of their own making: answers and ends as without us, exact lines."""

import os
import re
import signal
import socket
import subprocess
import threading

import harness
from harness import LIMIT, Failure, Skip, case, read_data
from processes import expect_exact, wait_for

# A version of each line source, as tests/pythons has them. In the full run, all that have the packages.
WITH_PACKAGES = "pyenv-3.9 bullseye-3.9 pyenv-3.11 debian-3.11 sid-3.14" if harness.FULL else "pyenv-3.9 debian-3.11 sid-3.14"
SLOW = 4 * LIMIT

# Each path is answered by a worker of its own, as each request waits until all have come.
WSGI = """\
import os, time  # hit
FOLDER = os.path.dirname(os.path.abspath(__file__))  # hit
def first():  # hit
    return b"1"  # hit
def second():  # hit
    return b"2"  # hit
def third():  # hit
    return b"3"  # hit
def fourth():  # hit
    return b"4"  # hit
def nobody():  # hit
    return b"0"  # miss
def application(environ, start_response):  # hit
    path = environ["PATH_INFO"]  # hit
    open(FOLDER + "/came" + path, "w").close()  # hit
    while len(os.listdir(FOLDER + "/came")) < 4:  # hit
        time.sleep(0.01)  # hit or not
    answer = {"/a": first, "/b": second, "/c": third, "/d": fourth}.get(path, nobody)()  # hit
    body = answer + b" by %d" % os.getpid()  # hit
    start_response("200 OK", [("Content-Length", str(len(body)))])  # hit
    return [body]  # hit
"""


def environment(t, folder):
    """For a program with the packages; they are found compiled."""
    return dict(t.env, PYTHONPATH=folder, PYTHONDONTWRITEBYTECODE="1")


def packages(t):
    if t.python.servers == "-":
        raise Skip("no packages: tests/requirements-servers.txt")
    return environment(t, t.python.servers)


class Server:
    """A program that serves until it is told to end."""

    def __init__(self, t, argv, env):
        self.t, self.log = t, t.dir / "log"
        with open(self.log, "wb") as f:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=f, stderr=f, env=env,
                                            cwd=t.dir, start_new_session=True)

    def say(self):
        return self.log.read_text(errors="replace")[-2000:]

    def wait_until(self, what, condition):
        def met():
            if self.process.poll() is not None:
                raise Failure(f"{what}: it has ended with {self.process.returncode}: {self.say()}")
            return condition()

        try:
            return wait_for(self.t, what, met)
        except Failure as e:
            raise Failure(f"{e}\n{self.say()}") from None

    def end(self, sig=signal.SIGTERM):
        """Its exit status; none of its workers is left."""
        self.process.send_signal(sig)
        try:
            status = self.process.wait(SLOW)
        except subprocess.TimeoutExpired:
            raise Failure(f"no end after {sig.name}: {self.say()}; left: {harness.kill_descendants()}") from None
        self.t.expect_nobody_left()
        self.t.expect(not re.search("(?m)^pycov-trace: ", self.say()), "a message of ours", self.say())
        return status


def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
        except OSError:
            return False
        return True


def ask(path, name, answers):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(SLOW)
        s.connect(str(path))
        s.sendall(f"GET {name} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(4096):
            answer += chunk
    answers[name] = answer.partition(b"\r\n\r\n")[2]


def serve(t, argv, env):
    """Start it, ask its four workers, end it: the answers without the process ids."""
    for path in (t.dir / "came").glob("*"):
        path.unlink()
    server = Server(t, argv, env)
    server.wait_until("the socket", lambda: listens(t.dir / "socket"))
    answers = {}
    threads = [threading.Thread(target=ask, args=(t.dir / "socket", name, answers)) for name in ("/a", "/b", "/c", "/d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.expect_equal(len(answers), 4, f"answers: {answers}; {server.say()}")
    found = {name: re.fullmatch(rb"(\d) by (\d+)", answer) for name, answer in answers.items()}
    t.expect(all(found.values()), "answers", answers, server.say())
    t.expect_equal(len({m[2] for m in found.values()}), 4, f"workers: {answers}")
    return {name: m[1] for name, m in found.items()}, server.end()


def web_server(t, argv, env):
    """The same answers and end with us as without, and the lines of all four workers."""
    (t.dir / "came").mkdir()
    path = t.write("served.py", WSGI)
    plain = serve(t, argv(path), env)
    t.expect_equal(plain, ({"/a": b"1", "/b": b"2", "/c": b"3", "/d": b"4"}, 0), "without us")
    traced = serve(t, t.traced(argv(path)), env)
    t.expect_equal(traced, plain, "with us")
    expect_data_of(t, path)


def expect_data_of(t, *paths):
    run = harness.Run([], 0, None, b"", b"")
    run.data = read_data(t.data_file)
    for path in paths:
        expect_exact(t, run, path)


@case(only=WITH_PACKAGES)
def gunicorn(t):
    env = packages(t)
    web_server(t, lambda path: t.py("-m", "gunicorn", "--workers=4", "--timeout=0", "--graceful-timeout=60",
                                    f"--bind=unix:{t.dir}/socket", f"--worker-tmp-dir={t.dir}", "served:application"), env)


@case(only="debian-3.11")
def uwsgi(t):
    """It opens its Python plugin after it has started."""
    if not os.path.exists("/usr/lib/uwsgi/plugins/python3_plugin.so"):
        raise Skip("no uwsgi with its Python plugin: apt-get install uwsgi-core uwsgi-plugin-python3")
    web_server(t, lambda path: ["uwsgi", "--plugin=python3", "--master", "--processes=4", "--die-on-term",
                                f"--http-socket={t.dir}/socket", f"--chdir={t.dir}", f"--wsgi-file={path}",
                                "--disable-logging"], t.env)


TASKS = """\
import celery, os  # hit
here = os.path.dirname(os.path.abspath(__file__))  # hit
app = celery.Celery("tasks", broker="filesystem://", backend="file://" + here + "/results")  # hit
app.conf.broker_transport_options = {  # hit
    "data_folder_in": here + "/queue",  # hit
    "data_folder_out": here + "/queue",  # hit
    "control_folder": here + "/control",  # hit
    "polling_interval": 0.05,  # hit
}
app.conf.worker_hijack_root_logger = False  # hit
@app.task  # hit
def add(a, b):  # hit
    total = a + b  # hit
    return total, os.getpid()  # hit
@app.task  # hit
def fail(word):  # hit
    text = "it is " + word  # hit
    raise ValueError(text)  # hit
@app.task  # hit
def never():  # hit
    return 1  # miss
"""
CLIENT = """\
import tasks
asked = [tasks.add.delay(n, n) for n in range(8)]
failing = tasks.fail.delay("wrong")
got = [a.get(timeout=%d, interval=0.02) for a in asked]
print([total for total, _ in got])
try:
    failing.get(timeout=%d, interval=0.02)
except ValueError as e:
    print(e)
"""


@case(only=WITH_PACKAGES)
def celery(t):
    """A worker with two processes, and tasks that come from another program through files."""
    env = packages(t)
    tasks = t.write("tasks.py", TASKS)
    client = t.write("client.py", CLIENT % (SLOW, SLOW))
    command = t.py("-m", "celery", "-A", "tasks", "worker", "--pool=prefork", "-c", 2, "-l", "warning", "--without-gossip",
                   "--without-mingle", "--without-heartbeat")
    seen = []
    for argv in command, t.traced(command):
        for name in "results", "queue", "control":
            (t.dir / name).mkdir(exist_ok=True)
        server = Server(t, argv, env)
        asked = t.run(t.py(client), env=env, limit=SLOW, leave=True)
        seen.append((asked.status, asked.text, server.end()))
        t.expect_equal(asked.status, 0, f"the client: {asked} {server.say()}")
    t.expect_equal(seen[0], (0, f"{[2 * n for n in range(8)]}\nit is wrong\n", 0), "without us")
    t.expect_equal(seen[1], seen[0], "with us")
    expect_data_of(t, tasks)


TESTED = """\
import os, time  # hit
import pytest  # hit
HERE = os.path.dirname(os.path.abspath(__file__))  # hit
def helper(x):  # hit
    if x:  # hit
        return "yes"  # hit
    return "no"  # miss
def meet(mine, other):  # hit
    open(HERE + "/" + mine, "w").close()  # hit
    while not os.path.exists(HERE + "/" + other):  # hit
        time.sleep(0.01)  # hit or not
def test_it():  # hit
    meet(MINE, OTHER)  # hit
    assert helper(1) == "yes"  # hit
@pytest.mark.parametrize("n", range(4))  # hit
def test_each(n):  # hit
    value = helper(n + 1)  # hit
    assert value == "yes"  # hit
def test_fails():  # hit
    value = 1  # hit
    assert value == 2  # hit
    value = 3  # miss
"""


@case(only=WITH_PACKAGES)
def xdist(t):
    """Two workers, one for each of two files that wait for each other."""
    env = packages(t)
    paths = [t.write(f"test_{mine}.py", TESTED.replace("MINE", repr(mine)).replace("OTHER", repr(other)))
             for mine, other in (("one", "two"), ("two", "one"))]
    command = t.py("-m", "pytest", "-q", "-n", 2, "-p", "no:cacheprovider", "--dist=loadfile", *paths)
    seen = []
    for argv in command, t.traced(command):
        for name in "one", "two":
            (t.dir / name).unlink(missing_ok=True)
        run = t.run(argv, env=env, limit=SLOW)
        t.expect(re.search(r"(?m)^2 failed, 10 passed", run.text), "the tests", run)
        seen.append((run.status, run.err))
    t.expect_equal(seen[1], seen[0], "with us")
    t.expect_equal(seen[0], (1, b""), "without us")
    expect_data_of(t, *paths)
