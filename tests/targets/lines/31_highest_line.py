# The highest line number that there is: a bitmap of 256 MB.
# only: pyenv-3.9 debian-3.11 sid-3.14
# oracle: no it takes too long
import os
import types


def high():
    return 1  # hit


high()
name = os.path.join(os.path.dirname(os.path.abspath(__file__)), "highest.py")
code = high.__code__.replace(co_firstlineno=2**31 - 2, co_filename=name)
print(types.FunctionType(code, {})())
