#include "supervisor/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/procfs.h"
#include "attach/threads.h"
#include "base/log.h"

#define CAP_SYS_PTRACE_BIT 19 /* capabilities(7) */
#define AS_ROOT "run pycov-trace as root (sudo)"

struct question {
	pid_t pid;
	enum refusal_access access;
	struct procfs_status theirs, ours;
	struct refusal *ret;
};

static const char *verb(const struct question *q)
{
	return q->access == REFUSAL_TRACE ? "traced" : "read";
}

static void say_why(struct refusal *r, enum refusal_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void say_why(struct refusal *r, enum refusal_reason reason, const char *fmt, ...)
{
	va_list args;

	memset(r, 0, sizeof(*r));
	r->reason = reason;
	va_start(args, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, args);
	va_end(args);
}

static bool advise(struct refusal *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool advise(struct refusal *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->advice, sizeof(r->advice), fmt, args);
	va_end(args);
	return true;
}

/* ------------------------------------------------------------------------------------------- what it is */

/* The first pid namespace has a number that is fixed: PROC_PID_INIT_INO. */
static bool is_in_container(void)
{
	static const char first[] = "pid:[4026531836]";
	char link[64];
	ssize_t n = readlink("/proc/self/ns/pid", link, sizeof(link));

	return n > 0 && ((size_t)n != sizeof(first) - 1 || memcmp(link, first, sizeof(first) - 1));
}

static bool is_nobody(struct question *q)
{
	if (procfs_status(q->pid, &q->theirs) == 0)
		return false;
	say_why(q->ret, REFUSAL_NO_PROCESS, "there is no process %d", q->pid);
	if (is_in_container())
		advise(q->ret, "pids are those of this container: see ps(1) here");
	return true;
}

static bool is_no_leader(struct question *q)
{
	if (q->theirs.tgid == q->pid)
		return false;
	say_why(q->ret, REFUSAL_THREAD, "%d is a thread of process %d", q->pid, q->theirs.tgid);
	return advise(q->ret, "give %d", q->theirs.tgid);
}

static bool is_self(struct question *q)
{
	if (q->pid != getpid())
		return false;
	say_why(q->ret, REFUSAL_SELF, "%d is pycov-trace itself", q->pid);
	return true;
}

static int is_other(pid_t tid, void *arg)
{
	const pid_t *pid = arg;

	return tid != *pid;
}

static bool is_zombie(struct question *q)
{
	if (q->theirs.state != 'Z' && q->theirs.state != 'X')
		return false;
	if (threads_each(q->pid, is_other, &q->pid) > 0) {
		say_why(q->ret, REFUSAL_ZOMBIE,
			"process %d (%s) runs on without its first thread, and the kernel lets nobody look into such",
			q->pid, q->theirs.name);
		return advise(q->ret, "have pycov-trace start the program: pycov-trace -- COMMAND");
	}
	say_why(q->ret, REFUSAL_ZOMBIE, "process %d (%s) has ended: it is a zombie until its parent, %d, asks how",
		q->pid, q->theirs.name, q->theirs.ppid);
	return true;
}

static bool is_kernel_thread(struct question *q)
{
	/* Kernels before 6.11 do not say so, but only kthreadd's children and itself are some. */
	if (!q->theirs.is_kernel_thread &&
	    !((q->pid == 2 || q->theirs.ppid == 2) && q->theirs.caught == 0 && procfs_check_access(q->pid) == -ENOENT))
		return false;
	say_why(q->ret, REFUSAL_KERNEL_THREAD, "%d (%s) is a thread of the kernel, not a program", q->pid,
		q->theirs.name);
	return true;
}

static bool is_traced(struct question *q)
{
	struct procfs_status tracer;

	if (q->access != REFUSAL_TRACE || !q->theirs.tracer)
		return false;
	say_why(q->ret, REFUSAL_TRACED, "process %d (%s) is traced already, by %d (%s)", q->pid, q->theirs.name,
		q->theirs.tracer, procfs_status(q->theirs.tracer, &tracer) == 0 ? tracer.name : "?");
	return advise(
		q->ret,
		"end the other tracer first; a process can have only one. Sampling needs none, but for --blocking and --native");
}

/* ------------------------------------------------------------------------------- why the kernel says no */

static bool is_privileged(const struct question *q)
{
	return q->ours.caps_effective >> CAP_SYS_PTRACE_BIT & 1;
}

static bool is_other_user(struct question *q)
{
	bool same = true;

	for (int i = 0; i < 3; i++)
		same = same && q->theirs.uid[i] == q->ours.uid[1] && q->theirs.gid[i] == q->ours.gid[1];
	if (same)
		return false;
	if (is_privileged(q)) {
		say_why(q->ret, REFUSAL_SANDBOX, "process %d (%s) belongs to user %u in another user namespace", q->pid,
			q->theirs.name, q->theirs.uid[0]);
		return advise(q->ret, "run pycov-trace outside of the container, or as the process's own user inside");
	}
	say_why(q->ret, REFUSAL_OTHER_USER,
		"process %d (%s) belongs to user %u, group %u, and this is user %u, group %u", q->pid, q->theirs.name,
		q->theirs.uid[0], q->theirs.gid[0], q->ours.uid[1], q->ours.gid[1]);
	return advise(q->ret, AS_ROOT ", or as that user (sudo -u '#%u' pycov-trace ...)", q->theirs.uid[0]);
}

static bool is_undumpable(struct question *q)
{
	if (is_privileged(q) || !procfs_is_undumpable(q->pid))
		return false;
	say_why(q->ret, REFUSAL_UNDUMPABLE,
		"process %d (%s) is closed to all but root: it changed its user or capabilities, asked for it "
		"(PR_SET_DUMPABLE), or its program may not be read",
		q->pid, q->theirs.name);
	return advise(q->ret, AS_ROOT);
}

static bool is_more_capable(struct question *q)
{
	if (is_privileged(q) || !(q->theirs.caps_permitted & ~q->ours.caps_permitted))
		return false;
	say_why(q->ret, REFUSAL_CAPABILITIES, "process %d (%s) has capabilities that pycov-trace has not", q->pid,
		q->theirs.name);
	return advise(q->ret, AS_ROOT);
}

static int yama_scope(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	return file && fscanf(file, "%d", &scope) == 1 ? scope : 0;
}

static bool is_under_yama(struct question *q)
{
	int scope = yama_scope();

	if (scope <= 0 || (is_privileged(q) && scope < 3))
		return false;
	say_why(q->ret, REFUSAL_YAMA, "this system lets processes be %s %s (kernel.yama.ptrace_scope is %d)", verb(q),
		scope == 1   ? "only by their ancestors"
		: scope == 2 ? "only by root"
			     : "by nobody, until it restarts",
		scope);
	if (scope >= 3)
		return advise(q->ret, "have pycov-trace start the program: pycov-trace -- COMMAND");
	return advise(q->ret, AS_ROOT
		      ", or allow it: sudo sysctl kernel.yama.ptrace_scope=0, or have pycov-trace start the program");
}

static bool is_root_in_container(void)
{
	return geteuid() == 0;
}

/* The rules of the kernel's __ptrace_may_access() and of its security modules, in their order. */
static void explain_permission(struct question *q)
{
	if (is_other_user(q) || is_undumpable(q) || is_more_capable(q) || is_under_yama(q))
		return;
	say_why(q->ret, REFUSAL_SANDBOX, "process %d (%s) may not be %s, the kernel says", q->pid, q->theirs.name,
		verb(q));
	if (is_root_in_container())
		advise(q->ret,
		       "in a container, start it with the capability SYS_PTRACE (docker run --cap-add SYS_PTRACE; "
		       "Kubernetes: securityContext.capabilities.add)");
	else
		advise(q->ret,
		       AS_ROOT "; a security module (SELinux, AppArmor) or a seccomp filter may forbid it as well");
}

bool refusal_find(pid_t pid, enum refusal_access access, struct refusal *ret)
{
	struct question q = {.pid = pid, .access = access, .ret = ret};
	int r;

	memset(ret, 0, sizeof(*ret));
	if (is_nobody(&q) || is_no_leader(&q) || is_self(&q) || is_zombie(&q) || is_kernel_thread(&q) || is_traced(&q))
		return true;
	r = procfs_check_access(pid);
	if (r == 0)
		return false;
	if (r != -EPERM) {
		say_why(ret, REFUSAL_NO_PROCESS, "process %d (%s) has ended meanwhile", pid, q.theirs.name);
		return true;
	}
	if (procfs_status(getpid(), &q.ours) < 0)
		q.ours = (struct procfs_status){.uid = {getuid(), geteuid(), geteuid()}};
	explain_permission(&q);
	return true;
}

/* ----------------------------------------------------------------------------------- the Python in it */

static void describe(pid_t pid, char *buf, size_t size)
{
	char link[64], path[PATH_MAX];
	struct procfs_status status;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n > 0)
		snprintf(buf, size, "%.*s", (int)n, path);
	else
		snprintf(buf, size, "%s", procfs_status(pid, &status) == 0 ? status.name : "?");
}

void refusal_not_python(pid_t pid, struct refusal *ret)
{
	char program[256];

	describe(pid, program, sizeof(program));
	say_why(ret, REFUSAL_NOT_PYTHON, "process %d is not Python: it runs %s, and no CPython is loaded in it", pid,
		program);
}

void refusal_python(pid_t pid, const char *reason, struct refusal *ret)
{
	char program[256];

	describe(pid, program, sizeof(program));
	say_why(ret, REFUSAL_PYTHON, "process %d (%s): %s", pid, program, reason);
}

void refusal_tell(const struct refusal *refusal)
{
	log_error("%s", refusal->why);
	if (*refusal->advice)
		log_error("%s", refusal->advice);
}
