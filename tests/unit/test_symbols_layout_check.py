"""Check offsets of this interpreter's objects, given as STRUCT.FIELD=OFFSET, against the objects.

Objects are looked at in memory through ctypes. A field that a version has not is not given.
Prints "checked N", and a line for each field that is elsewhere.
"""

import ctypes
import sys


def at(address, kind=ctypes.c_void_p):
    return kind.from_address(address).value


def function(argument, *rest):
    text = "local"
    return text, lambda: argument


def generator():
    yield sys._getframe()


CODE = function.__code__
GENERATOR = generator()
FRAME = next(GENERATOR)
INT = ctypes.c_int
SIZE = ctypes.c_ssize_t
STRING = "some text that is not interned"
LATIN = "some t\u00e9xt"
NUMBER = (7 << 30) + 5
DICT = {"a": 1, "b": 2, 3: 4}
MODULE = sys.modules["ctypes"]


def same(field, owner, value):
    return field, lambda offset: at(id(owner) + offset) == id(value)


def equal(field, owner, value, kind=SIZE):
    return field, lambda offset: at(id(owner) + offset, kind) == value


def table_of(code):
    return code.co_linetable if hasattr(code, "co_lines") else code.co_lnotab


def bytecode(offset):
    return ctypes.string_at(id(CODE) + offset, 2)[1] == CODE.co_code[1]


def frame_code(offset):
    return at(id(FRAME) + offset) == id(FRAME.f_code)


def digits(offset):
    low, high = (ctypes.c_uint32 * 2).from_address(id(NUMBER) + offset)
    return (low, high) == (5, 7)


def ascii_text(offset):
    return ctypes.string_at(id(STRING) + offset, len(STRING)) == STRING.encode()


def latin_text(offset):
    return ctypes.string_at(id(LATIN) + offset, len(LATIN)) == LATIN.encode("latin-1")


def iframe_of(frame):
    return at(id(frame) + OFFSETS["frame.f_frame"])


def executable(offset):
    return at(iframe_of(FRAME) + offset) & ~3 == id(FRAME.f_code)


def keys_entries(offset):
    keys = at(id(DICT) + OFFSETS["dict.ma_keys"])
    return at(keys + offset, SIZE) == 3


def gen_iframe(offset):
    return at(id(FRAME) + OFFSETS["frame.f_frame"]) == id(GENERATOR) + offset


LIST = [STRING, LATIN]
TUPLE = (STRING, LATIN)
BYTES = b"some bytes"
hash(STRING)

CHECKS = dict([
    same("code.co_filename", CODE, CODE.co_filename),
    same("code.co_name", CODE, CODE.co_name),
    same("code.co_consts", CODE, CODE.co_consts),
    same("code.co_names", CODE, CODE.co_names),
    same("code.co_linetable", CODE, table_of(CODE)),
    equal("code.co_firstlineno", CODE, CODE.co_firstlineno, INT),
    equal("code.co_argcount", CODE, CODE.co_argcount, INT),
    equal("code.co_stacksize", CODE, CODE.co_stacksize, INT),
    equal("code.co_flags", CODE, CODE.co_flags, INT),
    ("code.co_code_adaptive", bytecode),
    same("function.func_code", function, CODE),
    same("function.func_globals", function, globals()),
    same("function.func_name", function, function.__name__),
    same("function.func_qualname", function, function.__qualname__),
    same("function.func_module", function, function.__module__),
    ("function.size", lambda offset: type(function).__basicsize__ == offset),
    equal("unicode.length", STRING, len(STRING)),
    equal("unicode.hash", STRING, hash(STRING)),
    ("unicode.ascii_size", ascii_text),
    ("unicode.compact_size", latin_text),
    same("object.ob_type", STRING, str),
    equal("object.ob_size", BYTES, len(BYTES)),
    ("bytes.ob_sval", lambda offset: ctypes.string_at(id(BYTES) + offset) == BYTES),
    same("tuple.ob_item", TUPLE, STRING),
    ("list.ob_item", lambda offset: at(at(id(LIST) + offset) + 8) == id(LATIN)),
    ("long_.ob_digit", digits),
    equal("dict.ma_used", DICT, 3),
    ("keys.dk_nentries", keys_entries),
    same("module.md_dict", MODULE, MODULE.__dict__),
    same("module.md_name", MODULE, MODULE.__name__),
    equal("type.tp_basicsize", int, int.__basicsize__),
    equal("type.tp_itemsize", int, int.__itemsize__),
    equal("type.tp_flags", int, int.__flags__),
    ("type.tp_name", lambda offset: ctypes.string_at(at(id(int) + offset)) == b"int"),
    same("type.tp_mro", int, int.__mro__),
    same("gen.gi_name", GENERATOR, GENERATOR.__name__),
    same("gen.gi_qualname", GENERATOR, GENERATOR.__qualname__),
    same("gen.gi_code", GENERATOR, GENERATOR.gi_code),
    same("gen.gi_frame", GENERATOR, GENERATOR.gi_frame),
    ("gen.gi_iframe", gen_iframe),
    ("frame.f_code", frame_code),
    equal("frame.f_lineno", FRAME, 0, INT),
    ("iframe.executable", executable),
    ("iframe.globals", lambda offset: at(iframe_of(FRAME) + offset) == id(globals())),
    ("iframe.frame_obj", lambda offset: at(iframe_of(FRAME) + offset) == id(FRAME)),
    ("iframe.owner", lambda offset: at(iframe_of(FRAME) + offset, ctypes.c_byte) == 1),
])
if hasattr(CODE, "co_qualname"):
    CHECKS.update([same("code.co_qualname", CODE, CODE.co_qualname)])
if hasattr(CODE, "co_exceptiontable"):
    CHECKS.update([same("code.co_exceptiontable", CODE, CODE.co_exceptiontable)])
if sys.version_info < (3, 11):
    CHECKS.update([same("code.co_code", CODE, CODE.co_code)])
    del CHECKS["frame.f_lineno"]

OFFSETS = {name: int(offset) for name, offset in (word.split("=") for word in sys.argv[1:])}
checked = [name for name in OFFSETS if name in CHECKS]
for name in checked:
    if not CHECKS[name](OFFSETS[name]):
        print("%s is not at %d" % (name, OFFSETS[name]))
print("checked %d" % len(checked))
