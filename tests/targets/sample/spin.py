"""A thread that spins at the end of a known stack, until the end of the standard input.

    spin.py [--hostile]: with names for the file and the innermost function that would break what is careless
"""

import sys
import threading

HOSTILE_NAME = "</script><b>&\"';\n\x1b[2J\udcff\u202e"
HOSTILE_FILE = "/srv/]]></title>&amp;\t\x07\"/" + "n" * 300 + ".py"

done = False


def spin():
    n = 0
    while not done:
        n += 1


def outer(function):
    function()


def hostile():
    code = spin.__code__.replace(co_filename=HOSTILE_FILE, co_name=HOSTILE_NAME)
    if sys.version_info >= (3, 11):
        code = code.replace(co_qualname=HOSTILE_NAME)
    return type(spin)(code, globals())


function = hostile() if "--hostile" in sys.argv else spin
thread = threading.Thread(target=outer, args=(function,), name="spinner")
thread.start()
print("ready", flush=True)
sys.stdin.read()
done = True
thread.join()
