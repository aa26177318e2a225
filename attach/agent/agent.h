/*
 * Inside the agent: what its files share. Nothing here may need libc, a relocation or a vector register.
 * agent.c is how it is entered, region_writer.c what it writes, heap.c its memory, monitoring.c and traps.c the two
 * line sources.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_abi.h"

#define hidden __attribute__((visibility("hidden")))

extern struct agent agent_data hidden;

typedef void PyObject; /* opaque: read through layouts only */

/* Call function @name of the C-API with prototype @ret (@args). */
#define API(ret, name, ...) ((ret(*)(__VA_ARGS__))(uintptr_t)agent_data.api[API_##name])

static inline uint64_t load64(const void *p, size_t offset)
{
	return *(const uint64_t *)((const char *)p + offset);
}

static inline int32_t load32(const void *p, size_t offset)
{
	return *(const int32_t *)((const char *)p + offset);
}

static inline void *load_ptr(const void *p, size_t offset)
{
	return *(void *const *)((const char *)p + offset);
}

static inline void *type_of(const PyObject *o)
{
	return load_ptr(o, 8);
}

static inline bool is_code(const PyObject *o)
{
	return o && (uint64_t)(uintptr_t)type_of(o) == agent_data.api[API_PyCode_Type];
}

static inline long agent_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define atomic_load(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define atomic_cas(p, old, new) __sync_bool_compare_and_swap(p, old, new)

/* heap.c: memory of the agent's own, zeroed, 16-aligned; NULL when the kernel gives none. Never given back. */
hidden void *heap_alloc(size_t size);

hidden void *memcpy(void *to, const void *from, size_t n);
hidden void *memset(void *to, int c, size_t n);
hidden int memcmp(const void *a, const void *b, size_t n);

/* region_writer.c. Offsets into the region; 0 means none or no room (counted in the region's header). */

/** The file record for the co_filename @p str: 0 for `<...>` and what is no str. Touches no reference count. */
hidden uint32_t region_file_of(const PyObject *str);
/** True if the file of that record is refused: nothing of it need be recorded. */
hidden bool region_is_refused(uint32_t file);
/** The region is another one now: tell it what the refusals rest on. */
hidden void region_note_landmark(void);
/** Line @p line of @p file has run. */
hidden void region_set_line(uint32_t file, int64_t line);
/** Record the line table of @p code, of @p file, and for branches its bytecode, once: where that is.
 *  @p bytecode: as it was compiled; NULL: the interpreter is asked. */
hidden uint32_t region_add_code(PyObject *code, uint32_t file, const void *bytecode);
/** Is that what is recorded there? */
hidden bool region_is_code(uint32_t at, const PyObject *code, uint32_t file);
/** The instruction behind that at @p unit; only where the bytecode was recorded. */
hidden uint64_t region_next_unit(uint32_t code, uint64_t unit);
/** REGION_WAY_* @p way of the instruction at @p unit was taken: all that were. */
hidden unsigned int region_set_way(uint32_t code, uint64_t unit, unsigned int way);
hidden void region_set_status(enum agent_status status);
/* There is no memory for a code object that is to be recorded. The region is there. */
hidden void region_drop_code(void);
hidden struct region_header *region_header(void);
#define LEAVE_NAPS 2000 /* milliseconds */

/** Unmap the region and forget all that points into it, once no other interpreter is at it; false if one stays at it for
 * so many milliseconds, in which the GIL is given up: then it stays as it is, and shut. */
hidden bool region_leave(int naps);
/** In a forked child, where no other thread is. */
hidden void region_forget_users(void);

/*
 * Interpreters with a GIL of their own run in parallel with who leaves the region: what they do with it in probes and hooks
 * lies between these two, and never waits for anything. False: there is no region, or it is being left.
 */
hidden bool region_enter(struct agent_interp *it);
hidden void region_exit(struct agent_interp *it);

/* refused.c */

/** True if @p name, of @p len bytes, is the file that all refusals rest on: they hold from now on. */
hidden bool refused_note(const char *name, uint32_t len);
/** The name of that file; NULL while it is not known. */
hidden const char *refused_landmark(void);
/** Is it certain that nobody wants the file @p name? */
hidden bool refused_is(const char *name, uint32_t len);

hidden size_t text_length(const char *text);

/** Is @p str equal to the ASCII text @p text of @p len characters? */
hidden bool str_equals(const PyObject *str, const char *text, size_t len);
hidden bool str_starts_with(const PyObject *str, const char *text, size_t len);

/** Call @p f for @p code and each code object below its constants, depth first, until one returns false. */
hidden void code_walk(PyObject *code, bool (*f)(PyObject *code));

/* heap_walk.c. With the GIL held, and no exception set. */

/* Is shown an object; says how much work that was, 1 at least. */
typedef int object_visitor(PyObject *o, void *arg);

#define WALK_LISTS 4 /* of the collector */

/* A walk over all objects that the garbage collector knows. All zeros: none. */
struct heap_walk {
	PyObject *markers[WALK_LISTS], *first[2]; /* each with a reference */
	uint64_t interp;			  /* whose heap it is */
	uint32_t slices;			  /* that were begun */
	uint32_t placed;			  /* bit set: the markers that are in the list that they stand for */
	uint32_t looked, n_busy;
	bool is_begun;
};

/** CLOCK_MONOTONIC, nanoseconds. */
hidden uint64_t agent_now(void);
/** Go on until @p until, which is UINT64_MAX for no end: true if all that exist now have been shown to @p f, which makes no
 * object that the collector knows. */
hidden bool heap_walk(struct heap_walk *w, object_visitor *f, void *arg, uint64_t until);
/** It is over, or called off. */
hidden void heap_walk_end(struct heap_walk *w);

/* greenlets.c. The same. */

/** Call @p f for the code object of @p frame and of each that it returns to. */
hidden void frames_each_code(PyObject *frame, void (*f)(PyObject *code, void *arg), void *arg);
/** The same for each of the list @p frames; NULL: none. */
hidden void frames_each_code_of(PyObject *frames, void (*f)(PyObject *code, void *arg), void *arg);
/** Find the greenlets there are, until @p until: true once all were found. */
hidden bool greenlets_find(uint64_t until);
/** The innermost frames of those that are suspended; if they were not just found, they are now. A list, with a reference
 * that is the caller's, or NULL. */
hidden PyObject *greenlets_frames(void);
/** What greenlets_find() has found. */
hidden void greenlets_forget(void);

/* The exception that is being raised while we work, kept across our own calls. */
struct saved_error {
	PyObject *type, *value, *traceback;
};
hidden void error_save(struct saved_error *e);
hidden void error_restore(const struct saved_error *e);

/* Before the first use of agent_data: its pages came with the code, not writable. */
hidden bool agent_make_writable(void);
/** Call the supervisor and do what it asks for, until it asks for no more. */
hidden void agent_serve(enum agent_why why);
/** Call the supervisor once. */
hidden void agent_call_supervisor(enum agent_why why);

/* line_memo.c: so that agent_line_of() need not always search from the start. */
hidden void line_memos_make(void);

/* The line sources. Called with the GIL held, at the start of PyEval_EvalCode[Ex] for @p code. */
hidden void monitoring_on_code(PyObject *code);
/** Lines that have run before count again, in the current interpreter. With the GIL held. */
hidden void monitoring_rearm(void);
hidden void traps_rearm(void);
hidden void traps_on_code(PyObject *code);

/* The same in a program that runs already, and has for long. In the current interpreter, with the GIL held. */
hidden void monitoring_attach(void);
hidden void traps_attach(void);
/** From then on all is recorded; what is left is to go through the heap until @p until: true once that is done. */
hidden bool traps_go_on(uint64_t until);
/** Is it? */
hidden bool traps_are_complete(void);
/** The end of it: no event, no trap is left, the tool id is free. */
hidden void monitoring_detach(void);
hidden void traps_detach(void);
