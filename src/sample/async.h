/** The tasks of asyncio in a target: who waits for what. */
#pragma once

#include "sample/target.h"
#include "symbols/pyasync.h"

struct async {
	struct pyasync py;
	struct mem_windows windows;
	struct pychain chain, again; /* of async_chain() */
	struct pystack stack;	     /* of async_stack() */
	bool is_ready;		     /* where tasks are is known */
	uint64_t refreshed_ns;
	unsigned int n_failed;
};

/** 0; -ENOMEM. Free with async_free(). */
int async_new(struct target *t, struct async **ret) must_check;
void async_free(struct async *a);

/**
 * Once in a while: forget what may be another's by now, and look for _asyncio if it was not there. -ENOENT: it is not in
 * use; -ESRCH, -EPERM, -ENOMEM.
 */
int async_refresh(struct async *a, struct target *t, uint64_t now_ns) must_check;

/** Read the chain of coroutine @p coro into `chain`, sure to be one that it had. -EAGAIN, -ESRCH, -EPERM, -ENOMEM. */
int async_chain(struct async *a, struct target *t, uint64_t coro) must_check;

/**
 * Yield the stack of the task that @p thread runs, whose own stack was read into the target's just now: its coroutines,
 * then those of the first task that waits for it, and so on; not what runs the loop. The thread's own if it runs none.
 * Valid until the next call. -EAGAIN: somebody stopped waiting meanwhile; -ESRCH, -EPERM, -ENOMEM.
 */
int async_stack(struct target *t, const struct target_thread *thread, uint64_t now_ns,
		const struct pystack **ret) must_check;
