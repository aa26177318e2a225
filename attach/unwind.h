/**
 * The stack of compiled code of a stopped thread, by libunwind and the tables that compilers leave in each program and
 * library (.eh_frame_hdr, .eh_frame): read from the memory of the process, so that files are not needed.
 *
 * Where there is no table (code that was made at run time, a stray pointer) the stack ends: nothing is guessed from
 * frame pointers. Tables and stack are the target's to shape: what one walk reads is counted, and the count is limited.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define UNWIND_DEPTH_MAX 256

/** A function's frame on the stack goes from `sp` up to, without it, the `sp` of the one that called it. */
struct unwind_frame {
	uint64_t ip; /* of a caller: in the call, not behind it */
	uint64_t sp;
};

struct unwinder;

/** For the threads of @p pid. -ENOMEM. */
int unwinder_new(pid_t pid, struct unwinder **ret) must_check;
void unwinder_free(struct unwinder *u);

/**
 * The frames of thread @p tid, which is stopped by us, innermost first, as many as could be found: at least one. -ESRCH.
 * *@p is_whole: they go to where the thread began.
 */
int unwinder_walk(struct unwinder *u, pid_t tid, struct unwind_frame frames[UNWIND_DEPTH_MAX], size_t *n,
		  bool *is_whole) must_check;

/** Counts up whenever something else is mapped than before: what is known of addresses does not hold any more. */
uint64_t unwinder_generation(const struct unwinder *u);
