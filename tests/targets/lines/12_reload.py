import importlib
import os
import sys

RELOADS = 100
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
with open(os.path.join(here, "reloaded.py"), "w") as f:
    f.write("import sys\nn = getattr(sys, 'reloads', 0)\nsys.reloads = n + 1\n\ndef f(x):\n    if x == 77:\n"
            "        return 'seventy'\n    if x == -1:\n        return 'never'\n    return 1\n\nf(n)\n")
sys.dont_write_bytecode = True
import reloaded  # hit

for i in range(RELOADS):
    importlib.reload(reloaded)  # hit
print(reloaded.n)
