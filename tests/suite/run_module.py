"""Run one of CPython's own test modules with unittest; write what became of each test as JSON.

usage: run_module.py RESULT MODULE [TEST...]

Any CPython from 3.8 on runs this. MODULE is below `test.`; with TESTs (ids as in the result) only those are run.
"""

import doctest
import importlib
import json
import os
import sys
import unittest


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}
        self.details = {}
        self.subtests = 0

    def note(self, test, outcome, detail=None):
        name = n = test.id()
        count = 2
        while n in self.outcomes:
            n = "%s#%d" % (name, count)
            count += 1
        self.outcomes[n] = outcome
        if detail:
            self.details[n] = detail

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


def main():
    path, name, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    path = os.path.abspath(path)
    sys.argv[1:] = []
    result = Result()
    try:
        suite = load(importlib.import_module("test." + name))
    except unittest.SkipTest as e:
        result.outcomes[name] = "skipped: %s" % e
        suite = unittest.TestSuite()
    if only:
        suite = unittest.TestSuite(t for t in flatten(suite) if t.id() in only)
    suite.run(result)
    with open(path, "w") as f:
        json.dump({"outcomes": result.outcomes, "details": result.details}, f)


if __name__ == "__main__":
    main()
