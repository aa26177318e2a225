import os
import signal


def handler(number, frame):
    seen.append(number)  # hit


def never(number, frame):
    seen.append(-1)  # miss


seen = []
signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGUSR2, never)
for i in range(100):
    os.kill(os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
while seen.count(signal.SIGALRM) < 50:
    sum(range(100))
signal.setitimer(signal.ITIMER_REAL, 0)
print(seen.count(signal.SIGUSR1))  # hit
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigwait([signal.SIGUSR2]) == signal.SIGUSR2)  # hit
