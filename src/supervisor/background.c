#include "supervisor/background.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "supervisor/keeper.h"

/* What is meant for the command should not stop us: as far as we may. */
static void lift_limits(void)
{
	static const int kinds[] = {RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NOFILE};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct rlimit limit;

		if (getrlimit(kinds[i], &limit) < 0)
			continue;
		limit.rlim_cur = limit.rlim_max;
		setrlimit(kinds[i], &limit);
	}
}

static void block_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* Keep nothing of the caller's but what messages need. Returns where those go. */
static int leave_surroundings(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), message_fd = fcntl(2, F_DUPFD_CLOEXEC, 3);

	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	lift_limits();
	log_set_fd(message_fd);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	(void)!chdir("/");
	return message_fd;
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* @keep is put in order. */
static void close_others(int *keep, size_t n)
{
	int from = 3;

	qsort(keep, n, sizeof(*keep), by_value);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < from)
			continue;
		if (keep[i] > from)
			syscall(SYS_close_range, from, keep[i] - 1, 0);
		from = keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

struct plan {
	struct recorder *recorder;
	int fd;
	void (*first)(void *arg);
	supervise_fn *supervise;
	void *arg;
};

static void be_supervisor(const struct plan *plan, int socket)
{
	int message_fd;

	if (plan->first)
		plan->first(plan->arg);
	message_fd = leave_surroundings();
	close_others((int[]){message_fd, socket, plan->fd, plan->recorder->file.dirfd}, 4);
	plan->supervise(plan->recorder, socket, message_fd, plan->arg);
}

/* The keeper is the supervisor's parent, so that it outlives it and knows when it ends. */
static void be_keeper(const struct plan *plan)
{
	int message_fd, sockets[2];
	pid_t supervisor;

	block_signals();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return log_error("cannot start the supervisor: %s", strerror(errno));
	/* The caller waits for this one; the rest can be done meanwhile. */
	supervisor = fork();
	if (supervisor < 0)
		return log_error("cannot start the supervisor: %s", strerror(errno));
	if (supervisor == 0) {
		be_supervisor(plan, sockets[1]);
		_exit(0);
	}
	message_fd = leave_surroundings();
	close_others((int[]){message_fd, sockets[0], plan->recorder->file.dirfd}, 3);
	keeper_run(sockets[0], supervisor, plan->recorder, message_fd, false);
}

static void be_successor(struct recorder *recorder, int socket, pid_t supervisor, int message_fd)
{
	int keep[] = {message_fd, socket, recorder->file.dirfd};

	close_others(keep, ARRAY_SIZE(keep));
	keeper_run(socket, supervisor, recorder, message_fd, true);
}

int background_restart(struct recorder *recorder, int message_fd)
{
	pid_t supervisor = getpid(), middle;
	int sockets[2], status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	middle = fork();
	if (middle == 0) {
		pid_t last = fork();

		if (last == 0)
			be_successor(recorder, sockets[0], supervisor, message_fd);
		_exit(last < 0);
	}
	close(sockets[0]);
	while (middle > 0 && waitpid(middle, &status, 0) < 0 && errno == EINTR)
		;
	if (middle > 0 && status == 0)
		return sockets[1];
	close(sockets[1]);
	return -EAGAIN;
}

/* Orphans come back to us: the first process of a pid namespace, or one that has asked for it. */
static bool is_reaper(void)
{
	int subreaper = 0;

	return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper);
}

/*
 * A grandchild, whose parent has ended: the command will not find it among its children. As the child of a reaper it
 * stays what it is, a child without a signal, for which wait() does not wait.
 */
int background_start(struct recorder *recorder, int fd, void (*first)(void *arg), supervise_fn *supervise, void *arg)
{
	const struct plan plan = {recorder, fd, first, supervise, arg};
	/* No signal tells us of its end: not one the command would find pending, nor one the caller may ignore. */
	bool reaper = is_reaper();
	pid_t middle = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	int status;

	if (middle < 0)
		return -errno;
	if (middle == 0) {
		pid_t last;

		/* which would come back to the command */
		recorder->may_have_successor = !reaper;

		setsid();
		last = reaper ? 0 : fork();
		if (last == 0) {
			be_keeper(&plan);
			recorder_deinit(recorder);
		}
		_exit(last < 0);
	}
	if (reaper)
		return 0;
	while (waitpid(middle, &status, __WALL) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : -EAGAIN;
}
