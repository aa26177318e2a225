# What a program can ask of its code objects must be what it is without us.
import copy
import dis
import hashlib
import io
import inspect
import marshal
import types


def f(a, b=1):
    for i in range(a):
        if i == b:
            return i
    return None


def digest(code):
    parts = [code.co_code, repr(code.co_names).encode(), code.co_name.encode()]
    parts += [digest(c).encode() for c in code.co_consts if isinstance(c, types.CodeType)]
    return hashlib.sha1(b"".join(parts)).hexdigest()


def show(when):
    out = io.StringIO()
    dis.dis(f, file=out)
    print(when, digest(f.__code__), hashlib.sha1(out.getvalue().encode()).hexdigest())
    print(hashlib.sha1(marshal.dumps(f.__code__)).hexdigest())
    print([i.opname for i in dis.get_instructions(f)][:5], list(dis.findlinestarts(f.__code__))[:2])
    print(f.__code__ == f.__code__.replace(), hash(f.__code__) == hash(f.__code__.replace()))
    print(f.__code__.replace(co_name="g").co_code == f.__code__.co_code)


show("before")
f(5)
show("after one")
for _ in range(50):
    f(5)
show("after many")
one = compile("a = 1\nb = a\n", "same", "exec")
two = compile("a = 1\nb = a\n", "same", "exec")
print(one == two, hash(one) == hash(two), one is two)
exec(one)
print(one == two, hash(one) == hash(two), one.co_code == two.co_code)
print({one: 1}[two])
print(inspect.getsource(f).splitlines()[0], copy.copy(f) is f)
print(marshal.loads(marshal.dumps(one)) == one)
