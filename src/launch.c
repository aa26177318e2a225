#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "keeper.h"
#include "supervisor.h"

#define EXIT_NOT_FOUND 127
#define EXIT_NOT_RUN 126

static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* As execvp(3) looks for it. 0, or the error it would end with. */
static int find_command(const char *name)
{
	const char *path = getenv("PATH");
	char full[PATH_MAX];
	int ret = -ENOENT;

	if (strchr(name, '/'))
		return check_file(name);
	if (!path)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(path, ":");

		if (snprintf(full, sizeof(full), "%.*s%s%s", (int)n, path, n ? "/" : "", name) < (int)sizeof(full)) {
			int r = check_file(full);

			if (r == 0)
				return 0;
			if (r == -EACCES)
				ret = r;
		}
		if (!path[n])
			return ret;
		path += n + 1;
	}
}

static int cannot_run(const char *name, int error)
{
	log_error("cannot run %s: %s", name, error == -ENOENT ? "command not found" : strerror(-error));
	return error == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
}

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

/* Keep nothing of the caller's but what messages need. Returns where those go. */
static int leave_surroundings(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), message_fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
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

static void explain_untraced(pid_t command, int error)
{
	struct procfs_status status;
	char tracer[256];

	if (procfs_status(command, &status) == 0 && status.tracer) {
		procfs_cmdline(status.tracer, tracer, sizeof(tracer));
		log_warning("not measured: pid %d traces it already: %s", status.tracer, tracer);
	} else {
		log_warning("not measured: it cannot be traced: %s%s", strerror(-error),
			    error == -EPERM ? " (a container without SYS_PTRACE, or Yama's ptrace_scope?)" : "");
	}
}

static void be_supervisor(const struct options *options, int keeper_socket, int message_fd, pid_t command, int ready)
{
	struct supervisor s;
	int r;

	supervisor_init(&s, options, keeper_socket, message_fd);
	r = supervisor_follow(&s, command);
	if (r < 0)
		explain_untraced(command, r);
	if (write(ready, r < 0 ? "n" : "y", 1) != 1)
		r = -EPIPE;
	close(ready);
	if (r == 0)
		supervisor_run(&s);
	supervisor_deinit(&s);
}

/* The keeper is the supervisor's parent, so that it outlives it and knows when it ends. */
static void be_keeper(struct recorder *recorder, pid_t command, int ready)
{
	int message_fd = leave_surroundings(), sockets[2];
	int keep[] = {message_fd, ready, recorder->file.dirfd};
	pid_t supervisor;

	close_others(keep, ARRAY_SIZE(keep));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return log_error("cannot start the supervisor: %s", strerror(errno));
	supervisor = fork();
	if (supervisor < 0)
		return log_error("cannot start the supervisor: %s", strerror(errno));
	if (supervisor == 0) {
		close(sockets[0]);
		cleanup_closep(&recorder->file.dirfd);
		be_supervisor(recorder->options, sockets[1], message_fd, command, ready);
		_exit(0);
	}
	close(sockets[1]);
	close(ready);
	keeper_run(sockets[0], supervisor, recorder, message_fd);
}

/* Orphans come back to us: the first process of a pid namespace, or one that has asked for it. */
static bool is_reaper(void)
{
	int subreaper = 0;

	return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper);
}

/*
 * A grandchild, whose parent has ended: the command will not find it among its children. As the child of a reaper it
 * stays what it is, a child without a signal, for which wait() does not wait. Returns in the caller only.
 */
static int start_keeper(struct recorder *recorder, int ready[2])
{
	/* No signal tells us of its end: not one the command would find pending, nor one the caller may ignore. */
	bool reaper = is_reaper();
	pid_t command = getpid(), middle = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	int status;

	if (middle < 0)
		return -errno;
	if (middle == 0) {
		pid_t last;

		close(ready[0]);
		setsid();
		last = reaper ? 0 : fork();
		if (last == 0) {
			be_keeper(recorder, command, ready[1]);
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

/* 'y' from the supervisor once it traces us, else it has said why not. */
static int be_traced(struct recorder *recorder)
{
	int ready[2], r;
	char answer;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	/* Yama lets only ancestors trace, unless the tracee agrees. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	r = start_keeper(recorder, ready);
	close(ready[1]);
	if (r == 0 && read(ready[0], &answer, 1) != 1)
		r = -ECHILD;
	close(ready[0]);
	prctl(PR_SET_PTRACER, 0);
	return r;
}

static bool is_traced(void)
{
	struct procfs_status status;

	return procfs_status(getpid(), &status) == 0 && status.tracer;
}

int launch(struct recorder *recorder)
{
	char **command = recorder->options->command;
	int r = find_command(command[0]);

	if (r < 0)
		return cannot_run(command[0], r);
	/* Whatever comes of it, the command is run. */
	if (is_traced()) {
		explain_untraced(getpid(), -EPERM);
	} else {
		r = be_traced(recorder);
		if (r < 0)
			log_warning("not measured: the supervisor %s%s",
				    r == -ECHILD ? "was killed as it began" : "could not be started: ",
				    r == -ECHILD ? "" : strerror(-r));
	}
	execvp(command[0], command);
	return cannot_run(command[0], -errno);
}
