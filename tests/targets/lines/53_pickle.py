# Functions that are pickled by value, as cloudpickle does it, before, while and after they run; and run elsewhere.
# oracle: no it does not follow the child
import copyreg
import hashlib
import multiprocessing
import pickle
import sys
import types


def code_arguments(c):
    args = [c.co_argcount, c.co_posonlyargcount, c.co_kwonlyargcount, c.co_nlocals, c.co_stacksize, c.co_flags,
            c.co_code, c.co_consts, c.co_names, c.co_varnames, c.co_filename, c.co_name]
    if sys.version_info >= (3, 11):
        args.append(c.co_qualname)
    args += [c.co_firstlineno, c.co_linetable if sys.version_info >= (3, 10) else c.co_lnotab]
    if sys.version_info >= (3, 11):
        args.append(c.co_exceptiontable)
    return tuple(args) + (c.co_freevars, c.co_cellvars)


def make_code(*arguments):
    return types.CodeType(*arguments)  # hit


def reduce_code(c):
    return make_code, code_arguments(c)


copyreg.pickle(types.CodeType, reduce_code)


def pickled(function):
    return pickle.dumps((function.__code__, function.__defaults__), 4)


def loaded(data):
    code, defaults = pickle.loads(data)
    return types.FunctionType(code, {"__builtins__": __builtins__}, code.co_name, defaults)


def before(a, b=2):
    if a > b:  # hit
        return a  # miss
    return [x + b for x in range(a)]  # hit


def after(a, b=2):
    for i in range(a):  # hit
        b += i  # hit
    return b  # hit


def while_it_runs(data):
    x = 1  # hit
    data.append(pickled(while_it_runs))  # hit
    return x + len(data)  # hit


def elsewhere(data, queue):
    queue.put(loaded(data)(2))  # hit


def in_a_child(data):
    if data:
        return 1  # miss
    return 2  # hit


first = pickled(before)
print(hashlib.sha1(first).hexdigest(), loaded(first)(1))
print(after(3), after(4))
second = pickled(after)
print(hashlib.sha1(second).hexdigest(), loaded(second)(3))
found = []
print(while_it_runs(found), loaded(found[0]).__code__ == while_it_runs.__code__)
context = multiprocessing.get_context("fork")
queue = context.SimpleQueue()
child = context.Process(target=elsewhere, args=(pickled(before), queue))
child.start()
print(queue.get())
child.join()
print(pickle.loads(pickle.dumps(in_a_child))(0), pickled(in_a_child) == pickled(in_a_child))
try:
    pickle.dumps(x for x in ())
except TypeError as e:
    print(e)
