import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
os.makedirs(os.path.join(here, "elsewhere"), exist_ok=True)
with open(os.path.join(here, "elsewhere", "far.py"), "w") as f:
    f.write("def f():\n    return 1\n\ndef g():\n    return 2\n\nf()\n")
os.chdir(os.path.join(here, "elsewhere"))
sys.path.insert(0, "")
import far  # hit

os.chdir("/")
far.f()


def after():
    return 1  # hit


after()
print(os.getcwd())
