import gc


def before():
    return 1  # hit


gc.collect()
gc.freeze()
before()


def after():
    return 2  # hit


after()
gc.unfreeze()
gc.collect()
after()
gc.disable()
for i in range(1000):
    exec("def t(): return %d\nt()" % i)
gc.enable()
print(gc.isenabled())  # hit
