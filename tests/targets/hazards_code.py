"""Code objects are read, compared, copied and run elsewhere before, while and after they run."""
import copy
import dis
import gc
import io
import marshal
import opcode
import sys
import types


def fresh(name="f"):
    """A function that has not run, and the same as it was compiled, from code that never runs itself."""
    source = (
        "def {0}(a, b=2):\n"
        "    if a > 3:\n"
        "        c = [x for x in range(a)]\n"
        "    else:\n"
        "        c = (lambda y: y + b)(a)\n"
        "    try:\n"
        "        d = c + 1\n"
        "    except TypeError:\n"
        "        d = len(c)\n"
        "    return d\n").format(name)
    module = compile(source, "/nowhere/generated.py", "exec")
    reference = next(c for c in compile(source, "/nowhere/generated.py", "exec").co_consts if isinstance(c, types.CodeType))
    namespace = {}
    exec(module, namespace)
    return namespace[name], reference


def nested(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from nested(const)


def listing(code):
    out = io.StringIO()
    for c in nested(code):
        for i in dis.get_instructions(c):
            print(i.offset, i.opname, i.arg, i.starts_line, i.is_jump_target, file=out)
    return out.getvalue()


def same(code, reference):
    for a, b in zip(nested(code), nested(reference)):
        assert a.co_code == b.co_code, (a.co_code, b.co_code)
        assert a.co_code is a.co_code
        assert hash(a) == hash(b)
    assert code == reference and reference == code and not code != reference
    assert hash(code) == hash(reference)
    assert {code: 1}[reference] == 1 and reference in {code}
    assert listing(code) == listing(reference)


def codes_of(o):
    if isinstance(o, types.CodeType):
        yield o
    elif isinstance(o, (tuple, set, frozenset)):
        for item in o:
            yield from codes_of(item)


def check_reading():
    f, reference = fresh()
    same(f.__code__, reference)
    assert f(1) == 4
    same(f.__code__, reference)
    assert f(5) == 5
    for i in range(30):
        assert f(i) == (i + 3 if i <= 3 else i)
    same(f.__code__, reference)


def check_different():
    f, _ = fresh()
    g, _ = fresh("g")
    assert f.__code__ != g.__code__
    d = {f.__code__: "f", g.__code__: "g"}
    f(1), g(5)
    assert d[f.__code__] == "f" and d[g.__code__] == "g"
    a, b = fresh()[0], fresh()[0]
    a(1)
    assert a.__code__ == b.__code__ and a.__code__ is not b.__code__
    b(5)
    assert a.__code__ == b.__code__


def works(code, reference):
    f = types.FunctionType(code, {"__builtins__": __builtins__}, "h", (2,))
    assert f(1) == 4 and f(5) == 5
    same(code.replace(co_name=reference.co_name, co_filename=reference.co_filename), reference)


def check_copies():
    for runs in 0, 1, 20:
        f, reference = fresh()
        for _ in range(runs):
            f(1)
        code = f.__code__
        works(code.replace(co_name="other"), reference)
        works(code.replace(co_filename="<other>"), reference)
        works(code.replace(co_filename="/nowhere/other.py"), reference)
        works(marshal.loads(marshal.dumps(code)), reference)
        works(marshal.loads(marshal.dumps([(code,), {"k": code}]))[1]["k"], reference)
        for several in {code}, frozenset([code, 1]), (frozenset([("x", frozenset([code]))]),):
            text = marshal.dumps(several)
            works(next(c for c in codes_of(marshal.loads(text))), reference)
            assert marshal.dumps(several) == text
        out = io.BytesIO()
        marshal.dump(code, out)
        works(marshal.loads(out.getvalue()), reference)
        works(copy.copy(code), reference)
        works(eval("code"), reference)
        assert marshal.dumps(code) == marshal.dumps(code)
        same(code, reference)
        assert f(1) == 4 and f(5) == 5


def constructor_arguments(c):
    args = [c.co_argcount, c.co_posonlyargcount, c.co_kwonlyargcount, c.co_nlocals, c.co_stacksize, c.co_flags, c.co_code,
            c.co_consts, c.co_names, c.co_varnames, c.co_filename, c.co_name]
    if hasattr(c, "co_exceptiontable"):
        args.append(c.co_qualname)
    args.append(c.co_firstlineno)
    args.append(c.co_linetable if hasattr(c, "co_linetable") else c.co_lnotab)
    if hasattr(c, "co_exceptiontable"):
        args.append(c.co_exceptiontable)
    return args + [c.co_freevars, c.co_cellvars]


def check_constructor():
    for runs in 0, 1, 20:
        f, reference = fresh()
        for _ in range(runs):
            f(5)
        works(types.CodeType(*constructor_arguments(f.__code__)), reference)


def check_function_code():
    f, _ = fresh()
    g, _ = fresh("g")
    f(1)
    f.__code__ = g.__code__
    assert f(5) == 5 and g(1) == 4
    f.__code__ = f.__code__.replace(co_firstlineno=100)
    assert f(1) == 4
    h = types.FunctionType(code=g.__code__, globals={"__builtins__": __builtins__}, argdefs=(7,))
    assert h(1) == 9
    for bad in (None, 1):
        try:
            f.__code__ = bad
        except TypeError:
            pass
        else:
            raise AssertionError
    try:
        del f.__code__
    except TypeError:
        pass
    try:
        types.FunctionType(1, {})
    except TypeError:
        pass
    try:
        f.__code__.replace(nonsense=1)
    except TypeError:
        pass
    try:
        f.__code__.nonsense
    except AttributeError as error:
        assert "nonsense" in str(error)
    assert getattr(f.__code__, "nonsense", 5) == 5


def closure_maker():
    count = 0

    def closure():
        nonlocal count
        count += 1
        return count
    return closure


def check_closure():
    c = closure_maker()
    if sys.version_info >= (3, 11):
        def body():
            nonlocal cell
            cell = 5
        cell = 0
        exec(body.__code__, {}, closure=body.__closure__)
        assert cell == 5
        exec(body.__code__.replace(co_name="again"), {}, closure=body.__closure__)
    h = types.FunctionType(c.__code__.replace(), globals(), "h", None, c.__closure__)
    assert (c(), h(), c()) == (1, 2, 3)


def check_shared_bytecode():
    namespace = {}
    exec(compile("def f(a):\n    return a\n\n\ndef g(b):\n    return b\n", "/nowhere/shared.py", "exec"), namespace)
    f, g = namespace["f"], namespace["g"]
    shared = f.__code__.co_code is g.__code__.co_code
    assert f(1) == 1
    assert shared == (f.__code__.co_code is g.__code__.co_code)
    assert g(2) == 2 and f.__code__.co_code == g.__code__.co_code


def check_types():
    code = check_types.__code__
    assert type(code.co_code) is bytes
    assert "co_code" in dir(code) and repr(types.CodeType.co_code).startswith("<")
    assert all(op in opcode.opmap.values() for op in code.co_code[::2]) or sys.version_info >= (3, 11)
    assert not gc.is_tracked(code.co_code)


check_reading()
check_different()
check_copies()
check_constructor()
check_function_code()
check_closure()
check_shared_bytecode()
check_types()
print("OK")
