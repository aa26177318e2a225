/**
 * asyncio's tasks, and the coroutines that wait for each other, as the memory of a Python has them: tasks of C
 * (_asyncio.Task and its subclasses), not those of asyncio's own Python code.
 *
 * Before 3.14 the tasks are found through the module asyncio.tasks, from then on in lists of the threads. As the memory
 * may change while it is read, who wants to be sure reads twice and compares.
 */
#pragma once

#include "symbols/pystack.h"

#define PYASYNC_CHAIN_MAX 256
#define PYASYNC_NAME_MAX 256 /* bytes */
#define PYASYNC_INTERPRETERS_MAX 8
#define PYASYNC_TYPES_MAX 64

enum pyawaitable {
	PYAWAITABLE_NONE,
	PYAWAITABLE_FRAME,   /* a coroutine or a generator: it has a frame */
	PYAWAITABLE_WRAPPER, /* of one of the others, which it points to */
	PYAWAITABLE_FUTURE,
	PYAWAITABLE_TASK,
	PYAWAITABLE_OTHER,
};

struct pyasync {
	const struct mem_reader *reader;
	const struct pyruntime *python;
	struct layout layout; /* the runtime's, with what _Py_AsyncioDebug says where it is known */
	int32_t shift;	      /* by how much tasks are longer than those of the row */
	struct {
		uint64_t type;
		enum pyawaitable kind;
	} types[PYASYNC_TYPES_MAX]; /* what is known of types, by their addresses */
	struct pyasync_module {
		uint64_t interp, scheduled, eager, current; /* before 3.14: objects in asyncio.tasks */
	} modules[PYASYNC_INTERPRETERS_MAX];
	size_t n_modules;
};

void pyasync_init(struct pyasync *a, const struct mem_reader *reader, const struct pyruntime *python);

/** Forget what is known of addresses: call it now and then, as they may become another's. */
void pyasync_forget(struct pyasync *a);

struct pytask {
	uint64_t addr, coro; /* coro: 0 when it has ended */
	char name[PYASYNC_NAME_MAX];
};

/** The task at @p addr. -EBADMSG: it is none (any more); -EFAULT, -ESRCH, -EPERM. */
must_check int pyasync_task(struct pyasync *a, uint64_t addr, struct pytask *ret);

/**
 * Call @p fn for each task of the interpreter at @p interp, until it returns non-zero. @p threads are all of them.
 * Some may come twice or be none: ask pyasync_task(). -ENOENT: asyncio is not in use. -EAGAIN, -ESRCH, -EPERM.
 */
must_check int pyasync_each_task(struct pyasync *a, const struct pythreads *threads, uint64_t interp,
				 int (*fn)(void *arg, uint64_t task), void *arg);

/**
 * The task that a thread with that stack is running, and which of the frames is its coroutine's. -ENOENT: none. Else as
 * pyasync_each_task().
 */
must_check int pyasync_running(struct pyasync *a, const struct pythread *thread, const struct pystack *stack,
			       uint64_t *task, size_t *frame);

/**
 * The tasks that wait for the one at @p task, at most @p max of them: how many. Errors as pyasync_each_task(), without
 * -ENOENT.
 */
must_check int pyasync_awaiters(struct pyasync *a, uint64_t task, uint64_t *ret, size_t max);

/** A coroutine, what it waits for, and so on. */
struct pychain {
	struct pyframe frames[PYASYNC_CHAIN_MAX]; /* outermost first */
	size_t n;
	bool is_cut;
	uint64_t awaited;      /* what the last of them waits for, if that has no frame; 0: nothing, or it runs */
	enum pyawaitable kind; /* of that */
};

/** Follow @p coro. -EAGAIN: it changed meanwhile; -ESRCH, -EPERM, -ENOMEM. */
must_check int pyasync_chain(struct pyasync *a, struct pycodes *codes, struct mem_windows *w, uint64_t coro,
			     struct pychain *ret);

/** True if both are the same, line by line. */
bool pychain_same(const struct pychain *a, const struct pychain *b);
