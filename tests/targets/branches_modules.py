"""Copy modules of the standard library into a folder, under other names, and use them: branches as people write them.

usage: branches_modules.py FOLDER
"""
import importlib
import io
import os
import shutil
import sys

# What these find of others must not hang on who else is here.
import ast
import typing

NAMES = ["argparse", "difflib", "textwrap", "shlex", "configparser", "csv", "fractions", "_pydecimal", "tokenize",
         "statistics", "string", "string/__init__", "calendar", "ast", "dataclasses", "heapq", "random", "optparse", "pprint", "copy",
         "traceback", "datetime", "_pydatetime", "inspect", "gettext", "collections/__init__", "json/decoder",
         "json/encoder", "json/scanner", "html/parser", "contextlib", "functools", "enum", "glob", "fnmatch", "posixpath",
         "zipfile", "tarfile", "_pyio", "queue", "asyncio/queues", "xml/dom/minidom", "sched"]

folder = sys.argv[1]
library = os.path.dirname(os.__file__)
for name in NAMES:
    source = os.path.join(library, name + ".py")
    copy_name = os.path.join(folder, "copied_" + name.replace("/__init__", "").replace("/", "_") + ".py")
    if os.path.exists(source) and not os.path.exists(copy_name):
        shutil.copyfile(source, copy_name)
sys.path.insert(0, folder)


def load(name):
    try:
        return importlib.import_module("copied_" + name)
    except ModuleNotFoundError:
        return None


def tried(f, *args, **kwargs):
    try:
        return f(*args, **kwargs)
    except Exception as e:
        return type(e).__name__


m = load("argparse")
p = m.ArgumentParser(prog="x", description="words " * 30)
p.add_argument("a", type=int, nargs="*", choices=[1, 2, 3])
p.add_argument("-v", "--verbose", action="count", default=0, help="more " * 30)
p.add_argument("--name", metavar="N", required=True)
s = p.add_mutually_exclusive_group()
s.add_argument("--x", action="store_true")
s.add_argument("--y", action="store_const", const=1)
p.format_help()
p.parse_args("1 2 -vv --name=q --x".split())
p.parse_known_args("3 --name q --unknown".split())

m = load("difflib")
a, b = "one\ntwo\nthree\n".splitlines(True), "one\ntwo!\nfour\n".splitlines(True)
list(m.unified_diff(a, b)), list(m.ndiff(a, b)), list(m.context_diff(a, b))
m.get_close_matches("appel", ["ape", "apple", "peach"])
m.HtmlDiff().make_table(a, b)

m = load("textwrap")
m.fill("words and more-words " * 20, 30), m.dedent("  a\n   b\n"), m.shorten("a b c d e f", 6), m.indent("a\n\nb", " ")

m = load("shlex")
m.split("a 'b c' \"d \\\" e\" f\\ g # h", comments=True), m.quote("a b"), tried(m.split, "'a")

m = load("configparser")
c = m.ConfigParser()
c.read_string("[a]\nb = 1\nc: %(b)s\n  more\n# no\n[d]\ne = yes\n")
c.getboolean("d", "e"), c.get("a", "c"), tried(c.get, "a", "z"), tried(c.read_string, "b = 1"), c.write(io.StringIO())

m = load("csv")
m.Sniffer().sniff("a;b;c\n1;2;3\n"), m.Sniffer().has_header("a,b\n1,2\n2,3\n")
list(m.DictReader(io.StringIO("a,b\n1,2,3\n4\n"))), m.DictWriter(io.StringIO(), ["a"]).writerow({"a": 1})

m = load("fractions")
F = m.Fraction
F("3/4") + F(1, 3), F("-1.5e3") * 2, F(1.5) ** 2, F(3) // 2, F(7, 3) % 1, F(1, 2) < 1, tried(F, "x"), F(22, 7).limit_denominator(5)
hash(F(1, 3)), round(F(7, 3)), F(1, 2) == 0.5

m = load("_pydecimal")
D = m.Decimal
D("1.1") + D("2.25"), D("1") / D("3"), D("2").sqrt(), D("1e10").normalize(), tried(lambda: D(1) / 0), D("NaN") == 1
D("12.345").quantize(D("0.01")), D("-0"), D("5") % 3, D("2") ** 10, format(D("1234.5"), ",.2f"), D("10").ln(), D("3").exp()

m = load("tokenize")
list(m.generate_tokens(io.StringIO("def f(a):\n    '''b\n    c'''\n    return a + 1 # d\n").readline))
m.untokenize([(1, "a"), (54, "+"), (1, "b")])
m.detect_encoding(iter([b"# coding: latin-1\n", b"a\n"]).__next__)

m = load("statistics")
m.mean([1, 2, 3.5]), m.median([1, 3, 2, 4]), m.stdev([1, 2, 3]), m.mode("aab"), tried(m.mean, []), m.quantiles([1, 2, 3, 4])

m = load("string")
m.Template("$a ${b} $$").safe_substitute(a=1), m.Formatter().format("{0[1]} {a.real!r:>5}", [1, 2], a=3), m.capwords("a b")

m = load("calendar")
m.TextCalendar().formatyear(2024), m.HTMLCalendar().formatmonth(2023, 2), m.isleap(2000), list(m.Calendar(6).itermonthdates(2020, 5))

m = load("ast")
t = m.parse("def f(a, *b, c=1, **d):\n  'x'\n  for i in a:\n    if i and b: yield i\n    else: return lambda: [j for j in a if j]\n"
            "async def g():\n  async with a as b: await c\nclass C(D, e=1):\n  x: int = 1\n  try: x += 1\n  except E as f: raise\n"
            "  finally: del x\nwhile not x: pass\nwith a, b as c: assert d, 'e'\nfrom . import q as r\nprint(f'{x!r:>{y}}', {**a}, *b)")
m.dump(t, indent=1) if sys.version_info >= (3, 9) else m.dump(t)
m.unparse(t) if hasattr(m, "unparse") else None
tried(m.literal_eval, "[1, {'a': -2}]"), tried(m.literal_eval, "f()"), m.get_docstring(t.body[0]), list(m.walk(t))

m = load("dataclasses")


@m.dataclass(order=True, unsafe_hash=True)
class Point:
    x: int
    y: int = m.field(default=0, compare=False)
    z: list = m.field(default_factory=list, repr=False, compare=False)


m.asdict(Point(1)), m.replace(Point(2), y=3), m.astuple(Point(1)), Point(1) < Point(2), m.make_dataclass("Q", ["a"])(1)
tried(lambda: m.dataclass(type("R", (), {"__annotations__": {"a": int}, "a": []})))

m = load("heapq")
h = [5, 1, 4]
m.heapify(h), m.heappush(h, 2), m.heappop(h), m.nlargest(2, h), m.nsmallest(2, h, key=abs), list(m.merge([1, 3], [2]))

m = load("random")
r = m.Random(1)
r.randint(1, 5), r.sample(range(100), 5), r.shuffle(h), r.gauss(0, 1), r.choices("abc", [1, 2, 3], k=2), r.betavariate(1, 2)
r.gammavariate(0.5, 1), r.vonmisesvariate(1, 1), tried(r.choice, [])

m = load("optparse")
p = m.OptionParser(usage="x", version="1")
p.add_option("-a", "--all", action="store_true", help="all of it " * 10)
p.add_option("-n", type="int", default=3)
p.parse_args(["-a", "-n5", "rest"]), p.format_help()

m = load("pprint")
m.pformat({"a": list(range(50)), "b": {"c": ("d" * 30, {1, 2})}, "e": b"x" * 100}), m.pformat("long words " * 20), m.pformat([])

m = load("copy")
x = [1, {2: (3, [4])}, set()]
x.append(x)
m.deepcopy(x), m.copy(x), m.copy(Point(1)), m.deepcopy(Point(1))

m = load("traceback")
try:
    try:
        {}["a"]
    except KeyError as e:
        raise ValueError("b") from e
except ValueError as e:
    m.format_exception(type(e), e, e.__traceback__)
    m.TracebackException.from_exception(e, capture_locals=True).format()
m.format_stack(limit=1), m.format_list(m.extract_stack(limit=1))

m = load("_pydatetime") or load("datetime")
d = m.datetime(2024, 2, 29, 12, 30, tzinfo=m.timezone(m.timedelta(hours=2)))
d.isoformat(), d.strftime("%Y %z"), d + m.timedelta(days=1, seconds=3.5), d.astimezone(m.timezone.utc), str(m.timedelta(-1, 3))
m.datetime.fromisoformat("2024-01-02T03:04:05.678"), tried(m.date, 2023, 2, 29), m.date(2024, 1, 1).isocalendar(), d == d, d < d

m = load("inspect")
m.signature(lambda a, b=1, *c, d, **e: 1), m.getmembers(Point), str(m.signature(Point)), m.getsource(tried), m.isfunction(tried)
m.signature(tried).bind(1, 2, a=3), m.getdoc(Point), m.getmro(Point)

m = load("collections")
m.Counter("abca").most_common(1), m.OrderedDict(a=1).popitem(), m.namedtuple("N", "a b", defaults=[1])(1)._asdict()
m.ChainMap({1: 2}, {3: 4})[3], m.UserDict(a=1) | {"b": 2} if sys.version_info >= (3, 9) else 0, tried(m.namedtuple, "N", "1")

m = load("json_decoder")
m.JSONDecoder().decode('{"a": [1, 2.5, true, null, "b\\u00e9"], "c": {}}'), tried(m.JSONDecoder().decode, "[1,"), tried(m.py_scanstring, '"a\\', 1)
m = load("json_encoder")
m.JSONEncoder(indent=1, sort_keys=True).encode({"a": [1, 2.5, True, None], "b": {}, "c": "\x01\u1234"})
list(m.JSONEncoder().iterencode([1, (), {"a": float("inf")}])), tried(m.JSONEncoder().encode, object())

m = load("html_parser")
m.HTMLParser().feed("<!doctype html><a href='b' c>d &amp; &#65; <br/><!-- e --><script>f < g</script></a><?pi?>")

m = load("contextlib")
with m.ExitStack() as stack:
    stack.callback(int)
    stack.enter_context(m.suppress(KeyError))
    {}["x"]


@m.contextmanager
def managed():
    try:
        yield 1
    except ValueError:
        pass


with managed():
    raise ValueError
with m.redirect_stdout(io.StringIO()), m.closing(io.StringIO()), m.nullcontext():
    pass

m = load("functools")


@m.singledispatch
def single(x):
    return x


single.register(int)(lambda x: x + 1)
single(1), single("a"), m.partial(int, base=2)("11"), m.reduce(lambda a, b: a + b, [1, 2, 3]), m.cmp_to_key(lambda a, b: a - b)(1)
m.lru_cache(2)(abs)(1), m.total_ordering(type("T", (), {"__lt__": lambda a, b: True}))

m = load("enum")


class Colour(m.Enum):
    RED = 1
    GREEN = m.auto()


class Flags(m.Flag):
    A = 1
    B = 2


Colour(1), Colour["RED"], tried(Colour, 7), list(Colour), Flags.A | Flags.B, ~Flags.A, repr(Flags(3)), Flags.A in Flags(3)

m = load("glob")
m.glob(os.path.join(folder, "copied_*.py")), list(m.iglob(os.path.join(folder, "**"), recursive=True)), m.escape("[a]*")
m = load("fnmatch")
m.filter(["a.py", "b.c"], "*.py"), m.translate("[!a-c]?*.[ch]"), m.fnmatch("A", "a")
m = load("posixpath")
m.normpath("/a/./b/../c//d"), m.relpath("/a/b", "/a/c/d"), m.commonpath(["/a/b", "/a/c"]), m.expanduser("~/x"), m.realpath("."), m.splitext("a.b")
m.expandvars("$HOME/${HOME}/$"), m.join("a", "/b", "c"), m.ismount("/")

m = load("zipfile")
if m:
    z = io.BytesIO()
    with m.ZipFile(z, "w", m.ZIP_DEFLATED) as f:
        f.writestr("a/b", "c" * 100)
        f.write(__file__, "d")
    with m.ZipFile(z) as f:
        f.namelist(), f.read("a/b"), f.testzip(), tried(f.read, "x"), f.infolist()
    tried(m.ZipFile, io.BytesIO(b"no"))
m = load("tarfile")
z = io.BytesIO()
with m.open(fileobj=z, mode="w:gz") as f:
    f.add(__file__, "x" * 120)
z.seek(0)
with m.open(fileobj=z) as f:
    f.getnames(), f.extractfile(f.getmembers()[0]).read(), list(f)

m = load("_pyio")
t = m.TextIOWrapper(m.BufferedRandom(m.BytesIO(b"a\nb\r\nc")), "utf-8")
t.readline(), t.read(1), t.tell(), t.readlines(), t.seek(0), t.write("x\n"), t.flush(), t.close()
m.StringIO("a\nb").readlines(), tried(m.open, "/nowhere")

m = load("queue")
q = m.PriorityQueue(2)
q.put(2), q.put(1), q.get(), q.task_done(), tried(q.get, timeout=-1), q.full(), q.qsize()
m = load("sched")
s = m.scheduler()
s.enter(0, 1, int), s.enter(0, 2, int), s.run()
