"""Three interpreters do what they are told by standard input, a line at a time: "main CODE", "own CODE" (its GIL is its own)
or "shared CODE" (it has that of main). What CODE leaves in `answer` is printed."""
import os, sys, threading

try:
    import _interpreters as interpreters
    create = {"own": lambda: interpreters.create(), "shared": lambda: interpreters.create("legacy")}
except ImportError:
    import _xxsubinterpreters as interpreters
    create = {"own": lambda: interpreters.create(), "shared": lambda: interpreters.create(isolated=False)}

WORK = """
import os, sys
sys.path.insert(0, FOLDER)
for line in os.fdopen(FROM):
    names = {}
    exec(line, names)
    os.write(TO, b"%r\\n" % (names["answer"],))
"""


class Other:
    def __init__(self, name):
        (there, self.write_to), (self.read_from, back) = os.pipe(), os.pipe()
        self.told, self.answers = open(self.write_to, "w"), open(self.read_from)
        self.code = "FOLDER, FROM, TO = %r, %d, %d\n" % (sys.argv[1], there, back) + WORK
        self.thread = threading.Thread(target=self.run, args=(create[name],))
        self.thread.start()

    def run(self, create):
        interpreter = create()
        interpreters.run_string(interpreter, self.code)
        interpreters.destroy(interpreter)

    def do(self, code):
        self.told.write(code)
        self.told.flush()
        return self.answers.readline().strip()


def do_here(code):
    names = {}
    exec(code, names)
    return repr(names["answer"])


sys.path.insert(0, sys.argv[1])
others = {name: Other(name) for name in create}
print("ready", flush=True)
for line in sys.stdin:
    name, _, code = line.partition(" ")
    print(do_here(code) if name == "main" else others[name].do(code), flush=True)
for other in others.values():
    other.told.close()
    other.thread.join()
print("ended", flush=True)
