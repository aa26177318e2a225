"""Run one of CPython's own test modules with unittest; write what became of each test, a line of JSON each.

usage: run_module.py [--tool] RESULT MODULE [TEST...]

Any CPython from 3.8 on runs this. MODULE is below `test.`; with TESTs (ids as in the result) only those are run.
With --tool a sys.monitoring tool of Python's own takes each line once meanwhile: what differs under it differs under
any such tool.
"""

import doctest
import importlib
import json
import os
import sys
import unittest


class Result(unittest.TestResult):
    def __init__(self, path):
        super().__init__()
        self.pid = os.getpid()
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self.seen = set()

    def note(self, test, outcome, detail=""):
        name = n = test if isinstance(test, str) else type(test).id(test)  # some tests set an attribute of that name
        count = 2
        while n in self.seen:
            n = "%s#%d" % (name, count)
            count += 1
        self.seen.add(n)
        if os.getpid() == self.pid:
            os.write(self.file, json.dumps([n, outcome, detail]).encode() + b"\n")

    def startTest(self, test):
        super().startTest(test)
        print("....", test.id(), flush=True)

    def addSuccess(self, test):
        self.note(test, "ok")

    def addFailure(self, test, err):
        self.note(test, "FAIL", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        self.note(test, "ERROR", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        self.note(test, "skipped: " + reason)

    def addExpectedFailure(self, test, err):
        self.note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(subtest, "FAIL", self._exc_info_to_string(err, test))


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def load(module):
    """As regrtest, which runs the doctests of a module by test_main() in old versions."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if not hasattr(module, "load_tests"):
        suite.addTest(doctest.DocTestSuite(module))
    return suite


def use_tool():
    monitoring = sys.monitoring
    monitoring.use_tool_id(4, "another tool")
    monitoring.register_callback(4, monitoring.events.LINE, lambda code, line: monitoring.DISABLE)
    monitoring.set_events(4, monitoring.events.LINE)


def main():
    if sys.argv[1] == "--tool":
        del sys.argv[1]
        use_tool()
    path, name, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    path = os.path.abspath(path)
    sys.argv[1:] = []
    result = Result(path)
    try:
        suite = load(importlib.import_module("test." + name))
    except unittest.SkipTest as e:
        result.note(name, "skipped: %s" % e)
        suite = unittest.TestSuite()
    if only:
        suite = unittest.TestSuite(t for t in flatten(suite) if t.id() in only)
    suite.run(result)


if __name__ == "__main__":
    main()
