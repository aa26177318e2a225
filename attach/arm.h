/**
 * Letting a thread of a running program come to the agent by itself, without stopping or waking anybody. A program is
 * armed when one of these leads to a few instructions of ours (agent/arm.S), in unused bytes of its text:
 *
 *   PyEval_RestoreThread()   every thread that comes back from a blocking call; a jump in one aligned word. Or take_gil(),
 *                            where it is known: see supervisor/take_gil.h
 *   a thread's trace function   (up to 3.11) the thread that runs Python code now, at its next line
 *   a pending call              (3.12+) the same, at its next look at the eval breaker
 *
 * There the GIL is held and the C-API may be called. The first to come claims a word and goes on to the agent; if there
 * is none yet it maps memory for it and calls us, as in attach/boot.h. What is left behind if we are killed passes
 * everybody on.
 */
#pragma once

#include <stdbool.h>

#include "attach/hook.h"
#include "attach/remote.h"

#define ARM_CODE_MAX 512
#define ARM_STUB_MAX 128

/** All zeros: none. */
struct arm {
	raddr code, stub; /* where ours are; 0: nowhere */
	raddr word;	  /* 1: nobody has come yet */
	raddr call;	  /* instruction pointer at the rendezvous */
	struct hook hook; /* of PyEval_RestoreThread() */
	bool is_hooked;
	raddr errno_location; /* __errno_location() of its libc, 0: unknown; the caller's to set */
	size_t code_len;
	unsigned char saved_code[ARM_CODE_MAX], saved_stub[ARM_STUB_MAX];
};

/** How threads are traced, up to 3.11. */
struct arm_tracing {
	raddr thread_state; /* PyThreadState_Get() */
	raddr offset;	    /* of c_tracefunc in what that returns */
	raddr count;	    /* an int that counts who traces; 0: none */
};

/**
 * Write the instructions; nothing leads to them yet. @p restore_thread is the function's address, @p runtime the base
 * of the image it is in, @p agent the one that is there already, or 0. -ENOENT: no room, -ENOTSUP: that function cannot
 * be hooked.
 */
int arm_prepare(struct arm *a, const struct remote *r, raddr restore_thread, raddr runtime, raddr agent,
		const struct arm_tracing *tracing) must_check;

/** There is an agent by now: whoever comes goes to it. */
int arm_lead_to(const struct arm *a, const struct remote *r, raddr agent) must_check;

/** Let the next one in. No thread may be in the first bytes of the function: arm_is_in_way(). */
int arm_set(struct arm *a, const struct remote *r) must_check;
/** Nobody is led to us any more; those who are on the way pass. Also without arm_set(). */
int arm_unset(struct arm *a, const struct remote *r) must_check;
/** Nobody has come since arm_set(). */
bool arm_is_waiting(const struct arm *a, const struct remote *r);
bool arm_is_in_way(const struct arm *a, raddr pc);

/** Give the thread of thread state @p tstate our trace function. -EBUSY: it has one. */
int arm_trace(const struct arm *a, const struct remote *r, raddr tstate, const struct arm_tracing *tracing) must_check;
/**
 * @p a is a copy, for a forked child that has not run yet: make its memory what @p a says, as it may have been copied
 * a moment before. -ENOENT: the instructions are not there; @p a is none then.
 */
int arm_inherit(struct arm *a, const struct remote *r) must_check;

/** The address of a function int (*)(void *) for a pending call. */
raddr arm_pending_function(const struct arm *a);

/** Is @p addr where PyEval_RestoreThread() is led to, of whichever arm_set()? */
bool arm_is_entry(const struct remote *r, raddr addr);

/** Is @p pc in what arm_prepare() has written? */
bool arm_contains(const struct arm *a, raddr pc);
/** Put back what was there; no thread may be in it. */
int arm_clean(struct arm *a, const struct remote *r) must_check;
