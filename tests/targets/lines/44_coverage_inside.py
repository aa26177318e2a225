# coverage.py at work in the program itself: what it finds is what it finds without us.
# oracle: no it is inside
# env: INSIDE={python.coverage}
import os
import sys

for path in os.environ["INSIDE"].split(":"):
    sys.path.insert(0, path)
import coverage

c = coverage.Coverage(data_file=None, branch=os.environ.get("BRANCH") == "1", config_file=False)
c.start()


def f(x):
    if x:
        return 1  # hit
    return 2  # miss


f(1)
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "measured.py"), "w") as out:
    out.write("def f(x):\n    if x:\n        return 1\n    return 2\nf(3)\nfor i in range(3):\n    f(i == 5)\n")
sys.path.insert(0, here)
import measured  # hit

c.stop()
data = c.get_data()
for name in sorted(data.measured_files()):
    print(os.path.basename(name), sorted(data.lines(name)), sorted(data.arcs(name) or []))
