/**
 * Interpreters, threads and frames of a Python that runs, as its memory has them.
 *
 * The memory may change while it is read. A walk that meets what cannot be says -EAGAIN. One that met nothing wrong may
 * still have seen two moments: who wants to be sure looks again (pystack_check()), or stops the thread.
 */
#pragma once

#include <stdbool.h>

#include "symbols/pycode.h"

#define PYSTACK_DEPTH_MAX 4096 /* frames; the outermost beyond are left out */
#define PYSTACK_THREADS_MAX 16384
#define PYSTACK_INTERPRETERS_MAX 1024

struct pythread {
	uint64_t tstate, interp;
	uint64_t thread_id;  /* pthread_t */
	uint64_t native_id;  /* in its own pid namespace; 0: the version has none */
	int64_t interpreter; /* its id; 0 is the main one */
	uint64_t gil;	     /* struct _gil_runtime_state of its interpreter; 0: not known */
	uint64_t gil_holder; /* the thread state that had it last */
	/* How often that was another than before: while the number stays, no other thread has run any Python. */
	uint64_t gil_switches;
	bool has_gil;
};

/** All zeros is empty; `threads` is its own. */
struct pythreads {
	struct pythread *threads;
	size_t n, room;
};

void pythreads_deinit(struct pythreads *threads);

/** List the threads. -EAGAIN, -ESRCH, -EPERM, -ENOMEM; -ENOENT: there is no interpreter (yet, or any more). */
must_check int pythreads_get(struct pythreads *threads, const struct pyruntime *python, struct mem_windows *w);

/**
 * True if a thread of Python that waits in futex(2) at @p futex waits for the GIL: the words of the GIL's own condition
 * variables and mutexes lie in it, and nobody waits there for anything else. Not with musl, whose words are elsewhere.
 */
bool pythread_waits_for_gil(const struct pythread *thread, const struct layout *layout, uint64_t futex);

struct pyframe {
	uint64_t addr;
	struct pycode *code; /* valid until pycodes_sweep() */
	int32_t offset;	     /* of the instruction, in bytes of the bytecode; -1: none has run */
	bool is_entry;	     /* the innermost Python frame of a call from C is above it: see pystack_walk() */
	uint64_t loop; /* an address on the C stack, in the frame of the interpreter loop that runs it; 0: not known */
};

struct pystack {
	struct pyframe *frames; /* innermost first; room for PYSTACK_DEPTH_MAX */
	size_t n;
	bool is_cut; /* there were more */
};

must_check int pystack_init(struct pystack *stack);
void pystack_deinit(struct pystack *stack);

/**
 * The frames of a thread. A frame with `is_entry` is the outermost of those that one C call of the interpreter loop
 * runs. Whether @p codes could be trusted is for pystack_confirm() to say. Errors as pythreads_get(), without -ENOENT.
 */
must_check int pystack_walk(struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
			    struct mem_windows *w, const struct pythread *thread);

/**
 * After a walk, with windows whose bytes are younger than those of the walk (or any, if the thread is stopped): 0 if
 * the walk was right to trust @p codes; -EAGAIN: walk again. Other errors as pystack_walk().
 */
must_check int pystack_confirm(const struct pyruntime *python, struct pycodes *codes, struct mem_windows *w,
			       const struct pythread *thread);

/**
 * After a walk, while the thread still is stopped: fill in the `loop` of versions that keep a chain of such addresses
 * of their own (3.11; those after it have them among the frames). Errors as pystack_walk().
 */
must_check int pystack_find_loops(struct pystack *stack, const struct pyruntime *python, struct mem_windows *w,
				  const struct pythread *thread);

/** The frame at @p addr, of a generator, say. Errors as pystack_walk(). */
must_check int pyframe_get(const struct pyruntime *python, struct pycodes *codes, struct mem_windows *w, uint64_t addr,
			   struct pyframe *ret);

/** Follow a chain from a frame (of a generator, say) instead of from a thread; @p frame is where it begins. */
must_check int pystack_walk_from(struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
				 struct mem_windows *w, uint64_t frame);

/**
 * 1 if the thread has the same stack now, wherever its innermost frame is in its code, and pystack_confirm() says so
 * as well; 0 if not. Looks at little more than frames: give it windows of its own.
 */
must_check int pystack_check(const struct pystack *stack, const struct pyruntime *python, struct pycodes *codes,
			     struct mem_windows *w, const struct pythread *thread);

/** The line a frame is at; 0: none. */
uint32_t pyframe_line(const struct pyframe *frame);
