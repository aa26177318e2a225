"""Interpreters beside the main one, in this process."""
from concurrent import interpreters
from concurrent.futures import InterpreterPoolExecutor
import sys

sys.path.insert(0, sys.argv[1])
import in_interpreters


def main():
    one = interpreters.create()
    one.call(in_interpreters.called)
    one.exec("import sys; sys.path.insert(0, %r); import in_interpreters; in_interpreters.imported()" % sys.argv[1])
    one.call_in_thread(in_interpreters.in_thread).join()
    one.close()
    with InterpreterPoolExecutor(2) as executor:
        print(sorted(executor.map(in_interpreters.mapped, range(5))))
    print("end")  # hit


main()
