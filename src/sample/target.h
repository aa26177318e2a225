/**
 * A process that is sampled: its Python, its threads, and what is known of both from the last look.
 */
#pragma once

#include "attach/native.h"
#include "attach/threads.h"
#include "sample/beside.h"
#include "sample/runtime.h"
#include "symbols/pystack.h"

struct target_thread {
	struct pythread py;
	struct thread_watch watch; /* its tid is 0 when it is not known, and the file is closed */
	char name[THREAD_NAME_SIZE];
	uint64_t named_ns; /* when the name was read */
	bool is_seen;
	unsigned int naps;	       /* looks in a row at which it slept as before */
	bool is_quiet;		       /* it need not be looked at: see quiet.h */
	uint64_t gil_switches, cpu_ns; /* for quiet.c */
	bool is_counted; /* its last sample is in the profile, and would be the same as long as it sleeps on */
	struct mem_windows windows, checks[2]; /* of its stack, and of the other looks at that */
};

struct target {
	pid_t pid;
	char name[32];
	struct remote remote;
	struct mem_reader reader;
	struct runtime runtime;
	bool same_pid_namespace;
	struct mem_windows windows; /* of interpreters and thread states */
	struct pythreads list;
	struct target_thread **threads; /* n_threads, in the order of `list` */
	size_t n_threads, room;
	struct beside *beside;	    /* NULL: threads are read from wherever we run */
	struct target_thread *last; /* the one that was read last; NULL: it is gone */
	size_t n_read;		    /* since they were listed */
	bool is_ahead;		    /* its stack was read along with the list */
	struct pycodes codes;
	struct pystack stack;
	struct native *native; /* NULL: not asked for yet */
	struct async *async;   /* the same */
	uint64_t other_ns;     /* for quiet.c: CPU time that is none of the threads'; 0: not known */
	uint64_t sampled_ns;   /* when it was sampled last; 0: never */
	uint64_t torn, unread;
};

/** Open process @p pid. Errors and @p reason as runtime_find(). Free with target_free(). */
int target_new(struct runtimes *runtimes, pid_t pid, struct target **ret, const char **reason) must_check;
void target_free(struct target *t);

static inline void target_freep(struct target **t)
{
	target_free(*t);
}
#define _cleanup_target_ _cleanup_(target_freep)

/**
 * List the threads into `threads`, at @p now_ns (CLOCK_MONOTONIC). -EAGAIN: the list changed again and again while it
 * was read; -ENOENT: no interpreter is left; -ESRCH: the process has ended or runs another program; -EPERM, -ENOMEM.
 */
int target_list(struct target *t, uint64_t now_ns) must_check;

/**
 * Read the stack of a thread into `stack`, sure to be one that it had. Valid until the next call of target_list().
 * Errors as target_list().
 */
int target_read_stack(struct target *t, struct target_thread *thread) must_check;

/** The same of a thread that is stopped: read once. */
int target_read_stopped(struct target *t, struct target_thread *thread) must_check;
