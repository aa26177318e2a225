"""What is under way when somebody attaches: sys.argv is the folder of a module to import, and what main() does then.

Lines that run while we are there are marked, some with the mode in which they do. It says "ready", waits for a word, says "during", waits, and ends.
"""
import select
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
mode = sys.argv[2]
stop = False


def before(n):
    if n:  # hit
        return "before"
    x = "during"  # hit
    return x  # hit


def only_before():
    return 1


def only_after():
    return 1


def generator():
    yield "first"  # hit or not
    y = "second"  # hit
    yield y  # hit
    yield "third"


async def coroutine():
    await Pause()  # hit or not
    return "awaited"  # hit


class Pause:
    def __await__(self):
        yield 1  # hit or not
        return 2  # hit


def nested():
    def inner(n):
        m = n + 1  # hit
        return m  # hit

    return inner


def wait_for_word():
    """Asleep most of the time."""
    while not select.select([sys.stdin], [], [], 0.01)[0]:  # hit or not
        pass  # hit or not
    return sys.stdin.readline()  # hit or not


def wait_and_stop():
    global stop
    wait_for_word()  # hit or not
    stop = True  # hit in busy, busy_thread
    return 1  # hit in busy, busy_thread


def spin():
    """No calls, and nothing that waits."""
    x = 0  # hit or not
    while not stop:  # hit or not
        x += 1  # hit or not
    y = x  # hit in busy, busy_thread
    return y  # hit in busy, busy_thread


def in_read():
    line = sys.stdin.readline()  # hit or not
    return line  # hit in read


def busy():
    waiter = threading.Thread(target=wait_and_stop)  # hit or not
    waiter.start()  # hit or not
    spin()  # hit or not
    waiter.join()  # hit in busy
    return 1  # hit in busy


def busy_thread():
    spinner = threading.Thread(target=spin)  # hit or not
    spinner.start()  # hit or not
    waiter = threading.Thread(target=wait_and_stop)  # hit or not
    waiter.start()  # hit or not
    spinner.join()  # hit or not
    waiter.join()  # hit in busy_thread
    return 1  # hit in busy_thread


def during(g, c, f):
    import late  # hit

    seen = [before(0), next(g), f(1), late.value(2)]  # hit
    try:  # hit
        c.send(None)  # hit
    except StopIteration as e:  # hit
        seen.append(e.value)  # hit
    t = threading.Thread(target=lambda: seen.append("thread"))  # hit
    t.start()  # hit
    t.join()  # hit
    exec(compile("seen.append(  # made\n'made')", sys.argv[1] + "/made.py", "exec"), {"seen": seen})  # hit
    return seen  # hit


def main():
    g, c, f = generator(), coroutine(), nested()
    next(g)
    c.send(None)
    before(1)
    only_before()
    threading.Thread(target=only_before).start()
    print("ready", flush=True)
    {"read": in_read, "sleep": wait_for_word, "busy": busy, "busy_thread": busy_thread}[mode]()  # hit or not
    print(during(g, c, f), flush=True)  # hit
    wait_for_word()  # hit or not
    only_after()
    before(1)
    tools = [sys.monitoring.get_tool(i) for i in range(6)] if hasattr(sys, "monitoring") else [None]
    print(next(g), set(tools), sys.gettrace(), flush=True)
    sys.exit(5)


main()
