/* Loaded into Python by ctypes: what no Python function does. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[1 << 16] __attribute__((aligned(16)));
static volatile int seen;

static int in_our_memory(void *arg)
{
	seen = *(int *)arg;
	return 5;
}

static pid_t wait_for(pid_t pid)
{
	int status = -1;

	return pid > 0 && waitpid(pid, &status, __WALL) == pid ? WEXITSTATUS(status) : -1;
}

/* A process, not a thread, that shares all our memory. */
int shared_memory(int flags)
{
	int value = 100, status;

	seen = 0;
	status = wait_for(clone(in_our_memory, stack + sizeof(stack), CLONE_VM | flags, &value));
	return seen + status;
}

/* fork(2) with flags of one's own; the libc knows nothing of it. */
long odd_fork(unsigned long flags)
{
	return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

int overflow(int n)
{
	volatile char frame[4096];

	memset((void *)frame, n, sizeof(frame));
	return overflow(n + 1) + frame[n & 4095];
}

void end_group(int status)
{
	syscall(SYS_exit_group, status);
}
