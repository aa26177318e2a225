# oracle: no it is a trace function itself
import cProfile
import io
import profile
import pstats


def leaf(n):
    return n + 1  # hit


def branch(n):
    return sum(leaf(i) for i in range(n))  # hit


def run(kind):
    p = kind()
    p.enable() if hasattr(p, "enable") else None
    if hasattr(p, "enable"):
        branch(10)  # hit
        p.disable()
    else:
        p.runcall(branch, 10)  # hit
    p.create_stats()
    return sorted((name, calls[0], calls[1]) for (file, line, name), calls in p.stats.items() if file == __file__)


print(run(cProfile.Profile))
print(run(profile.Profile))
branch(3)
