"""Requests to a server, from several threads, without an end: what fails, and what is answered otherwise than before."""

import json
import re
import socket
import threading
import time

from harness import LIMIT, Failure

REQUESTS = (
    ("GET", "/text/40", b""),
    ("GET", "/big/2000", b""),
    ("GET", "/price/tea*3", b""),
    ("GET", "/price/milk*1", b""),
    ("POST", "/echo", json.dumps({"values": list(range(50))}).encode()),
    ("POST", "/echo", b""),
)
SLOW = 4 * LIMIT


class Connection:
    """One to the server, made anew when it has been closed."""

    def __init__(self, path, keeps):
        self.path, self.keeps, self.socket, self.unread = str(path), keeps, None, b""

    def open(self):
        self.socket, self.unread = socket.socket(socket.AF_UNIX), b""
        self.socket.settimeout(SLOW)
        self.socket.connect(self.path)

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def more(self):
        data = self.socket.recv(65536)
        self.unread += data
        return data

    def ask(self, method, path, body):
        """The whole answer, but for its date; OSError or ValueError if there is none."""
        if not self.socket:
            self.open()
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                            f"Connection: {'keep-alive' if self.keeps else 'close'}\r\n\r\n".encode() + body)
        while b"\r\n\r\n" not in self.unread:
            if not self.more():
                raise ValueError(f"the server has closed the connection after {self.unread!r}")
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        head = re.sub(rb"(?i)\r\ndate: [^\r]*", b"", head)
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if not length:
            raise ValueError(f"an answer without its length: {head!r}")
        length = int(length[1])
        while len(self.unread) < length and self.more():
            pass
        body, self.unread = self.unread[:length], self.unread[length:]
        if len(body) < length or self.unread:
            raise ValueError(f"{len(body)} bytes of {length}, and {len(self.unread)} more")
        if not self.keeps or re.search(rb"(?i)\r\nconnection: close", head):
            self.close()
        return head + b"\r\n\r\n" + body


def ask_all(path, keeps):
    """The answers to REQUESTS, one after the other."""
    connection = Connection(path, keeps)
    try:
        return [connection.ask(*request) for request in REQUESTS]
    finally:
        connection.close()


class Client(threading.Thread):
    def __init__(self, load, keeps, rests):
        super().__init__(daemon=True)
        self.load, self.keeps, self.rests, self.expected = load, keeps, rests, ask_all(load.path, keeps)
        self.begun, self.done, self.requests, self.failures = 0, 0, 0, []
        self.longest = 0.0

    def ask(self, connection, request, expected):
        start = time.monotonic()
        try:
            answer = connection.ask(*request)
        except (OSError, ValueError) as e:
            self.failures.append(f"{request[:2]}: {e!r}")
            connection.close()
            return
        self.longest = max(self.longest, time.monotonic() - start)
        if answer != expected:
            self.failures.append(f"{request[:2]}: {answer!r:.300} instead of {expected!r:.300}")

    def run(self):
        connection = Connection(self.load.path, self.keeps)
        while not self.load.is_over:
            self.begun += 1
            for request, expected in zip(REQUESTS, self.expected):
                self.ask(connection, request, expected)
                self.requests += 1
                time.sleep(0.001)  # another program needs the processor, too
            if self.rests:
                connection.close()
            self.done = self.begun
        connection.close()


class Load:
    """Clients that ask all the time: with one connection to the end, with one for all requests, with one for each."""

    def __init__(self, path):
        self.path, self.is_over = path, False
        self.clients = [Client(self, *how) for how in ((True, False), (True, True), (False, True), (False, True))]
        for client in self.clients:
            client.start()

    def ask_all_anew(self):
        """Until each client has asked for everything from the beginning, and the server has seen connections close that
        were there meanwhile: those of a round before the last one."""
        wanted = [client.begun + 2 for client in self.clients]
        end = time.monotonic() + SLOW
        for client, number in zip(self.clients, wanted):
            while client.done < number:
                if time.monotonic() > end or not client.is_alive():
                    raise Failure(f"requests are not answered: {client.failures}")
                time.sleep(0.002)

    def end(self):
        """How many were made, and what failed."""
        self.is_over = True
        for client in self.clients:
            client.join(SLOW)
        return sum(c.requests for c in self.clients), [f for c in self.clients for f in c.failures]
