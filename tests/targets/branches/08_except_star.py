# since: 3.11


def catch(f):
    try:
        f()
    except* ValueError:
        a = 1
    except* KeyError as e:
        a = 2
    else:
        a = 3
    return 1


def bad():
    raise ExceptionGroup("g", [ValueError(1)])


catch(bad)
catch(lambda: None)
