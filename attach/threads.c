#include "attach/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attach/procfs.h"

static int open_task(pid_t pid, pid_t tid, const char *name)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? (errno == ENOENT ? -ESRCH : -errno) : fd;
}

/* `syscall` says "running" without looking at the rest, a third of the price of `stat`. Some kernels have none. */
int thread_watch_open(struct thread_watch *t, pid_t pid, pid_t tid)
{
	char byte;

	*t = (struct thread_watch){.tid = tid, .fd = open_task(pid, tid, "syscall")};
	if (t->fd >= 0 && pread(t->fd, &byte, 1, 0) == 1)
		return 0;
	thread_watch_close(t);
	t->is_stat = true;
	t->fd = open_task(pid, tid, "stat");
	return t->fd < 0 ? t->fd : 0;
}

void thread_watch_close(struct thread_watch *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->runs_fd_plus_1)
		close(t->runs_fd_plus_1 - 1);
	t->fd = -1;
	t->runs_fd_plus_1 = 0;
}

/* "TID (NAME) S ...", and the name may hold anything. */
static enum thread_state parse_stat(char *text)
{
	char *end = strrchr(text, ')');

	if (!end || end[1] != ' ')
		return THREAD_GONE;
	if (end[2] == 'Z' || end[2] == 'X')
		return THREAD_GONE;
	return end[2] == 'R' ? THREAD_RUNS : THREAD_WAITS;
}

/* "NUMBER 0xARGUMENT ..." */
static uint64_t parse_futex(const char *text)
{
	char *end;

	return strtol(text, &end, 10) == SYS_futex && *end == ' ' ? strtoull(end, NULL, 16) : 0;
}

static enum thread_state look(const struct thread_watch *t, uint64_t *futex)
{
	char text[512];
	ssize_t n = pread(t->fd, text, sizeof(text) - 1, 0);

	*futex = 0;
	if (n <= 0)
		return THREAD_GONE;
	text[n] = 0;
	if (t->is_stat)
		return parse_stat(text);
	if (text[0] == 'r')
		return THREAD_RUNS;
	*futex = parse_futex(text);
	return THREAD_WAITS;
}

enum thread_state thread_watch_look(struct thread_watch *t, uint64_t *futex)
{
	enum thread_state state = look(t, futex);

	/* `stat` calls one waiting that is about to wait and may yet decide otherwise, on the CPU that it has. */
	t->may_sleep = state == THREAD_WAITS && !t->is_stat;
	t->is_counted = t->is_counted && t->may_sleep;
	t->futex = *futex;
	return state;
}

/* So many that other files still can be opened. */
static bool are_too_many(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 || (rlim_t)fd > limit.rlim_cur / 4 * 3;
}

static bool open_runs(struct thread_watch *t)
{
	int fd;

	if (t->runs_fd_plus_1 || t->has_no_runs)
		return !t->has_no_runs;
	fd = open_task(t->tid, t->tid, "schedstat");
	if (fd >= 0 && are_too_many(fd)) {
		close(fd);
		fd = -1;
	}
	t->runs_fd_plus_1 = fd < 0 ? 0 : fd + 1;
	t->has_no_runs = fd < 0;
	return fd >= 0;
}

/* "NANOSECONDS-THAT-IT-RAN NANOSECONDS-THAT-IT-WAITED TIMES" */
static bool read_runs(struct thread_watch *t, uint64_t *ret_ns, uint64_t *ret)
{
	char text[96];
	ssize_t n = open_runs(t) ? pread(t->runs_fd_plus_1 - 1, text, sizeof(text) - 1, 0) : 0;
	const char *word;

	if (n <= 0)
		return false;
	text[n] = 0;
	*ret_ns = strtoull(text, NULL, 10);
	word = strrchr(text, ' ');
	*ret = word ? strtoull(word, NULL, 10) : 0;
	return *ret != 0;
}

bool thread_watch_sleeps_on(struct thread_watch *t)
{
	uint64_t before = t->runs;
	bool was_counted = t->is_counted;

	t->is_counted = t->may_sleep && read_runs(t, &t->cpu_ns, &t->runs);
	return was_counted && t->is_counted && t->runs == before;
}

bool thread_watch_cpu(struct thread_watch *t, uint64_t *ret_ns)
{
	uint64_t runs;

	return read_runs(t, ret_ns, &runs);
}

bool process_cpu(pid_t pid, uint64_t *ret_ns)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return false;
	*ret_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	return true;
}

/* "running", "NUMBER ARGS... SP PC", or "-1 SP PC" where it waits without a system call. */
enum thread_state thread_where(pid_t tid, raddr *pc)
{
	_cleanup_close_ int fd = open_task(tid, tid, "syscall");
	char text[256];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	const char *word;

	*pc = 0;
	if (n <= 0)
		return THREAD_GONE;
	text[n] = 0;
	word = strrchr(text, ' ');
	*pc = word ? strtoull(word, NULL, 16) : 0;
	return text[0] == 'r' ? THREAD_RUNS : THREAD_WAITS;
}

/* Numbers of fields in proc(5), /proc/PID/stat. */
#define STAT_STATE 3
#define STAT_PROCESSOR 39
#define STAT_POLICY 41

int thread_cpu(pid_t tid, int *cpu)
{
	_cleanup_close_ int fd = open_task(tid, tid, "stat");
	char text[1024], *at;
	long policy = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return -ESRCH;
	text[n] = 0;
	at = strrchr(text, ')');
	*cpu = -1;
	for (int field = STAT_STATE; at && (at = strchr(at, ' ')) && field <= STAT_POLICY; field++, at++) {
		if (field == STAT_PROCESSOR)
			*cpu = (int)strtol(at, NULL, 10);
		if (field == STAT_POLICY)
			policy = strtol(at, NULL, 10);
	}
	if (*cpu < 0)
		return -ESRCH;
	return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE ? -EBUSY : 0;
}

void thread_name(pid_t pid, pid_t tid, char name[THREAD_NAME_SIZE])
{
	_cleanup_close_ int fd = open_task(pid, tid, "comm");
	ssize_t n = fd < 0 ? 0 : read(fd, name, THREAD_NAME_SIZE - 1);

	name[n > 0 ? n : 0] = 0;
	name[strcspn(name, "\n")] = 0;
}

int threads_each(pid_t pid, int (*f)(pid_t tid, void *arg), void *arg)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while (!r && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = f((pid_t)strtol(entry->d_name, NULL, 10), arg);
	return r;
}

bool thread_is_of(pid_t tid, pid_t pid)
{
	/* Whether we may is asked after who it is. */
	return syscall(SYS_tgkill, pid, tid, 0) == 0 || errno == EPERM;
}

pid_t thread_inner_tid(pid_t pid, pid_t tid)
{
	struct procfs_status status;

	(void)pid;
	return procfs_status(tid, &status) == 0 ? status.ns_pid : 0;
}

int threads_each_child(pid_t pid, pid_t tid, int (*f)(pid_t child, void *arg), void *arg)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[96];
	int child, r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tid);
	file = fopen(path, "re");
	while (file && !r && fscanf(file, "%d", &child) == 1)
		r = f(child, arg);
	return r;
}
