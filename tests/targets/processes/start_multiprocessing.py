"""multiprocessing by the method sys.argv[2]."""
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor


def in_process(queue):
    queue.put("from a process")  # hit


def in_closed_pool(x):
    if x > 100:
        return "never"  # miss
    return x + 1  # hit


def in_terminated_pool(x):
    return x + 2  # hit


def in_left_pool(x):
    return x + 3  # hit


def with_manager(d):
    d["key"] = "value"  # hit


def in_executor(x):
    return x + 4  # hit


def until_the_end(queue):
    queue.put("waiting")  # hit
    threading.Event().wait()
    x = 1  # miss


def that_fails():
    sys.exit(5)  # hit


def say(*words):
    print(*words, flush=True)


def stopped(context, how):
    queue = context.SimpleQueue()
    p = context.Process(target=until_the_end, args=(queue,))
    p.start()
    queue.get()
    getattr(p, how)()
    p.join()
    say(how, p.exitcode)


def main():
    context = multiprocessing.get_context(sys.argv[2])
    queue = context.SimpleQueue()
    p = context.Process(target=in_process, args=(queue,))
    p.start()
    say(queue.get())
    p.join()
    p = context.Process(target=that_fails)
    p.start()
    p.join()
    say(p.exitcode)
    stopped(context, "terminate")
    stopped(context, "kill")
    pool = context.Pool(2)
    say(pool.map(in_closed_pool, range(10)))
    pool.close()
    pool.join()
    pool = context.Pool(2)
    say(pool.map(in_terminated_pool, range(10)))
    pool.terminate()
    pool.join()
    with context.Manager() as manager:
        d = manager.dict()
        p = context.Process(target=with_manager, args=(d,))
        p.start()
        p.join()
        say(dict(d))
    kind = {} if sys.version_info < (3, 7) else {"mp_context": context}
    with ProcessPoolExecutor(2, **kind) as executor:
        say(list(executor.map(in_executor, range(10))))
    global left
    left = context.Pool(2)
    say(left.map(in_left_pool, range(10)))
    say("end")  # hit


if __name__ == "__main__":
    main()
