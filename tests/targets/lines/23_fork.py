# oracle: no it loses children
import os
import sys


def in_child():
    print("child", flush=True)  # hit
    return 7  # hit


def in_parent():
    return "parent"  # hit


def in_grandchild():
    return 9  # hit


pid = os.fork()
if pid == 0:
    status = in_child()  # hit
    grandchild = os.fork()
    if grandchild == 0:
        os._exit(in_grandchild())  # hit
    assert os.WEXITSTATUS(os.waitpid(grandchild, 0)[1]) == 9  # hit
    os._exit(status)  # hit
    print("no")  # miss
_, status = os.waitpid(pid, 0)
assert os.WEXITSTATUS(status) == 7, status
print(in_parent())
for i in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0)  # hit
    os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), 9)  # hit
    print("no")  # miss
assert os.waitpid(pid, 0)[1] == 9  # hit
sys.exit(0)  # hit
