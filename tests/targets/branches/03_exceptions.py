def catch(f):
    try:
        f()
    except ValueError:
        a = 1
    except (KeyError, TypeError) as e:
        a = 2
    except Exception:
        a = 3
        raise
    else:
        a = 4
    finally:
        b = 5
    return a


def final(n):
    try:
        if n:
            return 1
        a = 2
    finally:
        b = 3
    return a


def loop(items):
    for i in items:
        try:
            if i == 1:
                continue
            if i == 2:
                break
            if i == 3:
                raise ValueError
        except ValueError:
            pass
        finally:
            a = 1
    return items


def out(n):
    if n:
        raise KeyError(n)
    else:
        a = 1
    return a


def out_of_branch(n):
    try:
        if 1 / n:
            a = 1
        else:
            a = 2
    except ZeroDivisionError:
        a = 3
    return a


def out_of_loop(items):
    try:
        for i in items():
            a = i
    except ValueError:
        a = 5
    return a


def checking(n):
    assert n, "n"
    assert (
        n > 0
    ), "n"
    return n


def nested():
    try:
        try:
            raise KeyError
        except ValueError:
            a = 1
        finally:
            a = 2
    except KeyError:
        a = 3
    try:
        a = 4
    finally:
        a = 5


def failing():
    yield 1
    raise ValueError


def bad():
    raise OSError


def bool_fails():
    class B:
        def __bool__(self):
            raise ValueError
    try:
        if B():
            a = 1
        b = 2
    except ValueError:
        a = 3
    return a


catch(lambda: None)
catch(lambda: {}[1])
try:
    catch(bad)
except OSError:
    pass
final(0)
final(1)
loop([1, 3])
loop([2])
try:
    out(1)
except KeyError:
    pass
out_of_branch(0)
out_of_branch(1)
out_of_loop(failing)
checking(1)
nested()
bool_fails()
