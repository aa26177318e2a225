# difference: f_lineno set by a debugger
# oracle: no it is a trace function itself
import sys


def jumper(frame, event, arg):
    if event == "line" and frame.f_lineno == frame.f_code.co_firstlineno + 2 and not jumped:
        jumped.append(1)
        frame.f_lineno = frame.f_code.co_firstlineno + 4
    return jumper


def jump():
    a = 1  # hit
    a = 2  # miss
    a = 3  # miss
    return a  # hit


jumped = []
sys.settrace(jumper)
print(jump())
sys.settrace(None)
