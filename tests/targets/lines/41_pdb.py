# oracle: no it is a trace function itself
import io
import pdb
import sys


def f(n):
    a = n + 1  # hit
    b = a * 2  # hit
    return b  # hit


commands = io.StringIO("break f\ncontinue\nnext\np a\nstep\nup\ndown\nargs\nwhere\nunt\ntbreak %d\nc\nc\nc\nq\n" % (
    f.__code__.co_firstlineno + 3))
out = io.StringIO()
debugger = pdb.Pdb(stdin=commands, stdout=out, nosigint=True, readrc=False)
debugger.use_rawinput = False
try:
    debugger.run("f(1)\nf(2)\nf(3)\n", {"f": f})
except Exception as e:
    print(type(e))
print(out.getvalue())
f(4)
