/* A launcher that is no Python: launch HOW COMMAND... Its status is that of the command. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char stack[1 << 16] __attribute__((aligned(16)));

static int run(void *argv)
{
	execvp(((char **)argv)[0], argv);
	_exit(127);
}

static pid_t start(const char *how, char **argv)
{
	pid_t pid = -1;

	if (!strcmp(how, "exec"))
		run(argv);
	else if (!strcmp(how, "fork"))
		pid = fork();
	else if (!strcmp(how, "vfork"))
		pid = vfork();
	else if (!strcmp(how, "spawn"))
		return posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) ? -1 : pid;
	else if (!strcmp(how, "clone-vm"))
		return clone(run, stack + sizeof(stack), CLONE_VM | SIGCHLD, argv);
	else if (!strcmp(how, "clone-files"))
		return clone(run, stack + sizeof(stack), CLONE_FILES | CLONE_FS | SIGCHLD, argv);
	else if (!strcmp(how, "clone-silent"))
		return clone(run, stack + sizeof(stack), 0, argv);
	else if (!strcmp(how, "clone-usr1"))
		return clone(run, stack + sizeof(stack), SIGUSR1, argv);
	else if (!strcmp(how, "clone-untraced"))
		return clone(run, stack + sizeof(stack), CLONE_UNTRACED | SIGCHLD, argv);
	if (pid == 0)
		run(argv);
	return pid;
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc < 3)
		return 2;
	signal(SIGUSR1, SIG_IGN);
	pid = start(argv[1], argv + 2);
	if (pid < 0 || waitpid(pid, &status, __WALL) != pid) {
		perror(argv[1]);
		return 99;
	}
	printf("%s %x\n", argv[1], status);
	return WEXITSTATUS(status);
}
