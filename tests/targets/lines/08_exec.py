# Code made at run time under this file's name counts as this file's; under another name it does not.
import marshal
import types

source = "\n" * 99 + "a = 1\nif a > 1:\n    b = 2\nelse:\n    b = 3\n"
exec(compile(source, __file__, "exec"))
exec("x = 1\ny = 2")
print(eval("1 + 1"), eval(compile("\n" * 110 + "b + 1", __file__, "eval")))
code = compile("\n" * 119 + "def f():\n    return 1\n\ndef g():\n    return 2\n", __file__, "exec")
again = marshal.loads(marshal.dumps(code))
exec(again)
print(f())


def template():
    return 1  # hit


made = types.FunctionType(template.__code__, {})
print(made())
moved = template.__code__.replace(co_firstlineno=200)
print(types.FunctionType(moved, {})())


def victim():
    return "old"  # miss


victim.__code__ = (lambda: "new").__code__
print(victim())
single = compile("1 + 1\n", "<single>", "single")
exec(single)
for i in range(300):
    exec(compile("z = %d\n" % i, "<loop>", "exec"))
assert z == 299  # hit
exec(compile("\n" * 209 + "import sys\nclass C:\n    def m(self):\n        return 3\nprint(C().m())\n", __file__, "exec"))
