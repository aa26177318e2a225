import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
name = os.path.join(here, "mödul_日本語.py")
with open(name, "w", encoding="utf-8") as f:
    f.write("# Zeile\ndef grüße(x):\n    return 'hallo'\n\ndef nie():\n    return 1\n\ngrüße(1)\n")
sys.path.insert(0, here)
import importlib  # hit

importlib.import_module("mödul_日本語")
exec(compile("a = 1\nif not a:\n    a = 2\nb = 3\n", os.path.join(here, "größe.py"), "exec"))


def ünïcödé():
    return "ja"  # hit


print(ünïcödé().encode())
