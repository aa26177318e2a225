/**
 * Stop one thread of a process that runs by itself, look at it, and let it go again, as if nobody had been there: it
 * is traced (ptrace(2), PTRACE_SEIZE) for as long as it is stopped.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/cleanup.h"

struct thread_stop {
	pid_t tid;  /* 0: nothing is stopped */
	int signal; /* that was about to be delivered, and will be */
};

/**
 * Stop thread @p tid. With @p is_child its end is left to the caller to wait for. -ESRCH: it has ended; -EPERM: the
 * kernel refuses, or another tracer is there; -ETIMEDOUT: it sleeps where nothing can wake it (state D).
 */
int thread_stop_begin(struct thread_stop *stop, pid_t tid, bool is_child) must_check;

/**
 * An interrupted thread, at its STOP_NEW with @p regs, may have been in a system call that would now end with EINTR, as
 * epoll_wait(2) does, which its program would not have seen without us: let it go in again. If there is a signal for it
 * as well, that is what it comes out for.
 */
void thread_stop_mend(pid_t tid, struct user_regs_struct *regs);

/** Let it go. Nothing if it is not stopped. */
void thread_stop_end(struct thread_stop *stop);
#define _cleanup_thread_stop_ _cleanup_(thread_stop_end)
