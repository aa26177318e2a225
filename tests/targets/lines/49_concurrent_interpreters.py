# since: 3.14
# oracle: no it stays in the main interpreter
import os
import sys
from concurrent import interpreters
from concurrent.futures import InterpreterPoolExecutor

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
with open(os.path.join(here, "worker.py"), "w") as f:
    f.write("def work(n):\n    if n == 3:\n        return 'three'\n    elif n == 99:\n        return 'never'\n    return n\n")
import worker  # hit


def main():
    with InterpreterPoolExecutor(2) as pool:
        print(list(pool.map(worker.work, range(5))))  # hit
    interp = interpreters.create()
    interp.prepare_main(path=here)
    interp.exec("import sys\nsys.path.insert(0, path)\nimport worker\nworker.work(1)\n")  # hit
    interp.close()


main()
