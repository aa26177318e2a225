/**
 * ptrace(2), one request a function. A thread is named by its tid in our pid namespace.
 *
 * All return -ESRCH when the thread is gone or not stopped (killed in between): say nothing and wait for its next
 * event. -EPERM: the kernel refuses.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/cleanup.h"

/** What a stop is, from the status waitid(2) gave. */
enum stop_kind {
	STOP_SIGNAL, /* a signal is about to be delivered: pass it on */
	STOP_GROUP,  /* job control stopped the process: tracee_listen() */
	STOP_NEW,    /* first stop of a new child, or one that we asked for */
	STOP_FORK,   /* fork or clone: tracee_event_message() is the child */
	STOP_VFORK,  /* the same, and the child uses its parent's memory until it execs or ends */
	STOP_EXIT,   /* a thread is about to end; only with TRACEE_STOP_AT_EXIT */
	STOP_EXEC,   /* a new program, at its very first instruction; the message is the thread's former tid */
	STOP_OTHER,
};

/** Classify @p status, the si_status of a CLD_TRAPPED or CLD_STOPPED siginfo: signal | event << 8. */
enum stop_kind stop_classify(int status);

/** What more than its execs to be told of. */
enum {
	TRACEE_FOLLOW = 1,	 /* its children and threads, which are traced as well */
	TRACEE_STOP_AT_EXIT = 2, /* the end of each thread, before it */
};

/** Trace @p pid without stopping it. */
int tracee_seize(pid_t pid, unsigned int flags) must_check;
/**
 * The same, for a thread of a process that may be in an execve(2): the kernel lets nobody in until its other threads are
 * gone, and those that we trace are gone only when we have waited for them. -EAGAIN: do so, and try again.
 */
int tracee_seize_running(pid_t tid, unsigned int flags) must_check;
/** Go on, delivering @p sig (0: none). */
int tracee_continue(pid_t tid, int sig);
/** Have it stop (STOP_NEW) at once, wherever it is. It wakes from some system calls with EINTR. */
int tracee_interrupt(pid_t tid) must_check;
/** Stay stopped, as job control wants it, until SIGCONT. */
int tracee_listen(pid_t tid);
/** Let go of a stopped thread, delivering @p sig. */
int tracee_detach(pid_t tid, int sig);
int tracee_event_message(pid_t tid, unsigned long *ret) must_check;
int tracee_get_regs(pid_t tid, struct user_regs_struct *ret) must_check;
int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs) must_check;
int tracee_get_siginfo(pid_t tid, siginfo_t *ret) must_check;
