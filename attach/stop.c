#include "attach/stop.h"
#include "base/clock.h"

#include <errno.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "attach/procfs.h"
#include "attach/tracee.h"

#define LIMIT_NS INT64_C(200000000)
#define SPIN_NS INT64_C(200000) /* most threads stop within some microseconds */
#define PAUSE_NS 100000

static void pause_since(int64_t start)
{
	if (clock_ns() - start < SPIN_NS)
		sched_yield();
	else
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* What it did: a stop, consumed, or its end, which is consumed unless another waits for it. -EAGAIN: nothing yet. */
static int next_event(pid_t tid, bool is_child, siginfo_t *info)
{
	info->si_pid = 0;
	if (waitid(P_PID, (id_t)tid, info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return errno == EINTR ? -EAGAIN : -ESRCH;
	if (!info->si_pid)
		return -EAGAIN;
	if (info->si_code == CLD_TRAPPED || info->si_code == CLD_STOPPED)
		return waitid(P_PID, (id_t)tid, info, WSTOPPED | WNOHANG | __WALL) < 0 ? -ESRCH : 0;
	if (!is_child)
		waitid(P_PID, (id_t)tid, info, WEXITED | WNOHANG | __WALL);
	return -ESRCH;
}

static int wait_for_stop(pid_t tid, bool is_child, siginfo_t *info)
{
	int64_t start = clock_ns();

	for (;;) {
		int r = next_event(tid, is_child, info);

		if (r != -EAGAIN)
			return r;
		if (clock_ns() - start > LIMIT_NS)
			return -ETIMEDOUT;
		pause_since(start);
	}
}

/*
 * A tracee can be let go only while it stops. One that does not within the limit is taken care of by the end of this
 * process at the latest; it is asked once more, as sleeps that cannot be interrupted are short.
 */
static void give_up(pid_t tid, bool is_child)
{
	siginfo_t info;

	if (wait_for_stop(tid, is_child, &info) == 0)
		tracee_detach(tid, 0);
}

void thread_stop_mend(pid_t tid, struct user_regs_struct *regs)
{
	struct procfs_status status;

	if ((int64_t)regs->orig_rax < 0 || (int64_t)regs->rax != -EINTR || procfs_status(tid, &status) < 0 ||
	    status.pending)
		return;
	regs->rax = regs->orig_rax;
	regs->rip -= 2;
	(void)!tracee_set_regs(tid, regs);
}

int thread_stop_begin(struct thread_stop *stop, pid_t tid, bool is_child)
{
	struct user_regs_struct regs;
	siginfo_t info;
	int r;

	*stop = (struct thread_stop){0};
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return errno == ESRCH ? -ESRCH : -EPERM;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0 && errno != ESRCH)
		return -errno;
	r = wait_for_stop(tid, is_child, &info);
	if (r == -ETIMEDOUT)
		give_up(tid, is_child);
	if (r < 0)
		return r;
	stop->tid = tid;
	if (stop_classify(info.si_status) == STOP_SIGNAL)
		stop->signal = info.si_status & 0xff;
	else if (stop_classify(info.si_status) == STOP_NEW && tracee_get_regs(tid, &regs) == 0)
		thread_stop_mend(tid, &regs);
	return 0;
}

void thread_stop_end(struct thread_stop *stop)
{
	if (stop->tid)
		tracee_detach(stop->tid, stop->signal);
	stop->tid = 0;
}
