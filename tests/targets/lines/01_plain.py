import sys

a = 1  # hit
if a > 1:  # hit
    a = 2  # miss
elif a == 1:  # hit
    a = 3  # hit
else:
    a = 4  # miss


def never():
    return 1  # miss


def once(x):
    if x:  # hit
        return "yes"  # hit
    return "no"  # miss


print(once(a))
for i in range(3):  # hit
    if i == 5:  # hit
        break  # miss
else:
    print("end")  # hit
while a:
    a -= 1  # hit
    if a == 1:
        continue  # hit
    sys.stdout.write(".")  # hit
try:
    1 / 0  # hit
except ValueError:  # hit
    print("value")  # miss
except ZeroDivisionError:  # hit
    print("zero")  # hit
else:
    print("else")  # miss
finally:
    print("finally")  # hit
with open(__file__) as f:  # hit
    f.readline()  # hit
assert a == 0, \
    "message"  # miss
x = (
    1 if a else
    2
)
del x  # hit
