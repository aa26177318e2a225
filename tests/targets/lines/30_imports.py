import importlib.util
import os
import sys
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
package = os.path.join(here, "pkg")
os.makedirs(os.path.join(package, "sub"), exist_ok=True)


def put(name, text):
    with open(os.path.join(package, name), "w") as f:
        f.write(text)


put("__init__.py", "from . import a\n\ndef lazy():\n    from . import b\n    return b.x\n")
put("a.py", "from .sub import s\nx = s.y\nif x:\n    z = 1\nelse:\n    z = 2\n")
put("b.py", "try:\n    import missing_module\nexcept ImportError:\n    x = 5\nelse:\n    x = 6\n")
put("sub/__init__.py", "")
put("sub/s.py", "y = 1\n\ndef never():\n    return 1\n")
put("broken.py", "x = 1\nraise RuntimeError('half')\ny = 2\n")
import pkg  # hit

print(pkg.lazy())
try:
    import pkg.broken
except RuntimeError:
    print("half")  # hit
del sys.modules["pkg.a"]
from pkg import a  # hit

spec = importlib.util.spec_from_file_location("other", os.path.join(package, "b.py"))
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.x)  # hit
