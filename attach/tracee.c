#include "attach/tracee.h"

#include <errno.h>
#include <setjmp.h>
#include <sys/ptrace.h>
#include <sys/time.h>

#define SEIZE_PATIENCE 200000 /* microseconds */

#define FOLLOW (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

static int request(int what, pid_t tid, uintptr_t addr, uintptr_t data)
{
	return ptrace(what, tid, addr, data) < 0 ? -errno : 0;
}

enum stop_kind stop_classify(int status)
{
	int sig = status & 0xff, event = status >> 8 & 0xff;

	switch (event) {
	case 0:
		return STOP_SIGNAL;
	case PTRACE_EVENT_VFORK:
		return STOP_VFORK;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_CLONE:
		return STOP_FORK;
	case PTRACE_EVENT_EXEC:
		return STOP_EXEC;
	case PTRACE_EVENT_EXIT:
		return STOP_EXIT;
	case PTRACE_EVENT_STOP:
		return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU ? STOP_GROUP : STOP_NEW;
	default:
		return STOP_OTHER;
	}
}

int tracee_seize(pid_t pid, unsigned int flags)
{
	return request(PTRACE_SEIZE, pid, 0,
		       PTRACE_O_TRACEEXEC | (flags & TRACEE_FOLLOW ? FOLLOW : 0) |
			       (flags & TRACEE_STOP_AT_EXIT ? PTRACE_O_TRACEEXIT : 0));
}

static sigjmp_buf out_of_time;

static void on_alarm(int sig)
{
	(void)sig;
	siglongjmp(out_of_time, 1);
}

/* The request is restarted after a handler that returns: jump out of it. */
int tracee_seize_running(pid_t tid, unsigned int flags)
{
	const struct itimerval patience = {.it_interval = {0, SEIZE_PATIENCE}, .it_value = {0, SEIZE_PATIENCE}},
			       none = {0};
	struct sigaction action = {.sa_handler = on_alarm}, before;
	sigset_t alarm_only;
	int ret;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigaction(SIGALRM, &action, &before);
	if (sigsetjmp(out_of_time, 0) == 0) {
		setitimer(ITIMER_REAL, &patience, NULL);
		sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
		ret = tracee_seize(tid, flags);
	} else {
		ret = -EAGAIN;
	}
	sigprocmask(SIG_BLOCK, &alarm_only, NULL);
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &before, NULL);
	return ret;
}

int tracee_continue(pid_t tid, int sig)
{
	return request(PTRACE_CONT, tid, 0, (uintptr_t)sig);
}

int tracee_interrupt(pid_t tid)
{
	return request(PTRACE_INTERRUPT, tid, 0, 0);
}

int tracee_listen(pid_t tid)
{
	return request(PTRACE_LISTEN, tid, 0, 0);
}

int tracee_detach(pid_t tid, int sig)
{
	return request(PTRACE_DETACH, tid, 0, (uintptr_t)sig);
}

int tracee_event_message(pid_t tid, unsigned long *ret)
{
	return request(PTRACE_GETEVENTMSG, tid, 0, (uintptr_t)ret);
}

int tracee_get_regs(pid_t tid, struct user_regs_struct *ret)
{
	return request(PTRACE_GETREGS, tid, 0, (uintptr_t)ret);
}

int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs)
{
	return request(PTRACE_SETREGS, tid, 0, (uintptr_t)regs);
}

int tracee_get_siginfo(pid_t tid, siginfo_t *ret)
{
	return request(PTRACE_GETSIGINFO, tid, 0, (uintptr_t)ret);
}
