# Code whose file name is relative: it belongs to the folder of that moment.
import os

here = os.path.dirname(os.path.abspath(__file__))
for name in ("one", "two"):
    os.makedirs(os.path.join(here, name), exist_ok=True)
    with open(os.path.join(here, name, "relative.py"), "w") as f:
        f.write("a = 1\nif a:\n    b = 2\nelse:\n    b = 3\n")
os.chdir(os.path.join(here, "one"))
exec(compile(open("relative.py").read(), "relative.py", "exec"))
exec(compile("x = 1\n", "../two/./relative.py", "exec"))
print("end")  # hit
