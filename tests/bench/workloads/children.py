"""Starts 200 children of Python, one after another."""
import subprocess
import sys

for _ in range(200):
    subprocess.check_call([sys.executable, "-c", "pass"])
