/** The threads of a process, as /proc/PID/task has them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/remote.h"
#include "base/cleanup.h"

/** What a thread does, as cheaply as it can be asked again and again. */
enum thread_state {
	THREAD_GONE,
	THREAD_RUNS, /* or would, had it a CPU */
	THREAD_WAITS,
};

/** A thread that is looked at often. All zeros but `fd` -1 is closed. */
struct thread_watch {
	pid_t tid;
	int fd;
	bool is_stat;		    /* the file is `stat`, not `syscall` */
	bool may_sleep, is_counted; /* it waited at the last look; `runs` was read before that */
	bool has_no_runs;	    /* the kernel does not count, or there are too many files */
	int runs_fd_plus_1;
	uint64_t runs;	 /* how often it has come to a CPU */
	uint64_t cpu_ns; /* how long it had been on one then */
	uint64_t futex;	 /* as thread_watch_look() said */
};

/** -ESRCH, -EMFILE and others of open(2). */
int thread_watch_open(struct thread_watch *t, pid_t pid, pid_t tid) must_check;
void thread_watch_close(struct thread_watch *t);
/** If it waits in futex(2), *@p futex is the address of the word; else 0, and where the kernel does not say. */
enum thread_state thread_watch_look(struct thread_watch *t, uint64_t *futex);

/**
 * True if the thread has not run at all since before thread_watch_look() said that it waits: all that is its own is as it
 * was. Call it before each look, which it may save: it costs less.
 */
bool thread_watch_sleeps_on(struct thread_watch *t);

/**
 * How long a thread, and a process with all the threads that it has or had, have been on a CPU, to the nanosecond: of one
 * that is on it, until the kernel last took stock, at a tick of the clock, say. False where the kernel does not say.
 */
bool thread_watch_cpu(struct thread_watch *t, uint64_t *ret_ns);
bool process_cpu(pid_t pid, uint64_t *ret_ns);

/**
 * What thread @p tid does, asked once. If it waits, *@p pc is where it goes on, else 0. THREAD_GONE also where the kernel
 * does not say (proc(5), /proc/PID/syscall).
 */
enum thread_state thread_where(pid_t tid, raddr *pc);

/**
 * The CPU that thread @p tid is on, or was last. -EBUSY: it runs at a real-time policy (sched(7)), and lets no other
 * thread onto it. -ESRCH.
 */
int thread_cpu(pid_t tid, int *cpu) must_check;

#define THREAD_NAME_SIZE 16
/** Its name (prctl(2), PR_SET_NAME); "" if it is gone. */
void thread_name(pid_t pid, pid_t tid, char name[THREAD_NAME_SIZE]);

/** Call @p f with each thread until it returns non-zero, which is returned. -ESRCH. */
int threads_each(pid_t pid, int (*f)(pid_t tid, void *arg), void *arg) must_check;

/** Is @p tid, which is there, a thread of process @p pid? Costs much less than a look into /proc. */
bool thread_is_of(pid_t tid, pid_t pid);

/** The number that thread @p tid has in the innermost pid namespace that it is in; 0 if it is gone. */
pid_t thread_inner_tid(pid_t pid, pid_t tid);

/** Call @p f with each child that thread @p tid has now (by /proc/PID/task/TID/children) until it returns non-zero. */
int threads_each_child(pid_t pid, pid_t tid, int (*f)(pid_t child, void *arg), void *arg) must_check;
