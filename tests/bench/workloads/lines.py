"""Runs 100,000 lines once each: the modules that tests/bench/run generates in the folder given."""
import json
import sys
import time

sys.path.insert(0, sys.argv[1])
start = time.perf_counter()
for i in range(20):
    __import__("lines_%d" % i).main()
print(json.dumps({"seconds": time.perf_counter() - start}))
