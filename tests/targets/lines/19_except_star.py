# since: 3.11
# oracle: yes
exec(compile('''try:
    raise ExceptionGroup("g", [ValueError(1), KeyError(2)])
except* ValueError as e:
    print("value")
except* OSError:
    print("os")
except* KeyError:
    print("key")
else:
    print("else")
finally:
    print("end")
''', __file__.replace("19_", "star_"), "exec"))
print("after")  # hit
