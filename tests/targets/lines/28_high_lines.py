# Line numbers near the end of what there is.
# oracle: no it is slow at this
import os
import types

here = os.path.dirname(os.path.abspath(__file__))


def high():
    return 1  # hit


if hasattr(high.__code__, "replace"):
    for line in (100000, 1000000, 16777216):
        code = high.__code__.replace(co_firstlineno=line, co_filename=os.path.join(here, "high.py"))
        print(types.FunctionType(code, {})())
high()
print("end")  # hit
