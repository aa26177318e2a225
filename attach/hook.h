/**
 * Functions of the target that lead through the agent. In a page near the function: a jump to the agent, and the
 * function's first instructions moved, which lead back. Written while no thread is in those instructions.
 */
#pragma once

#include <stdbool.h>

#include "attach/remote.h"

/** Executable memory in the target, near what is to be hooked. */
struct hook_page {
	raddr addr;
	size_t size, used;
};

/** What is at @p stub, and before it, is in use already. */
void hook_page_keep(struct hook_page *page, raddr stub);

/** A hook that is prepared. */
struct hook {
	raddr patch; /* where the jump goes */
	unsigned char jump[5], original[5];
	raddr resume; /* where the function's own code goes on */
};

/**
 * Prepare that the function at @p function goes to @p agent first; it is as it was until hook_arm(), before which the
 * agent must know `resume`. -ENOTSUP: its first instructions cannot be moved. -ENOSPC: the page is full.
 */
int hook_prepare(const struct remote *r, struct hook_page *page, raddr function, raddr agent,
		 struct hook *ret) must_check;
/** In one piece, if the jump lies within one aligned word. */
int hook_arm(const struct remote *r, const struct hook *hook) must_check;
/** The function is as it was; what leads back in the page stays. */
int hook_disarm(const struct remote *r, const struct hook *hook) must_check;

/** Would a jump at @p patch lie within one aligned word? */
bool hook_is_in_word(raddr patch);
/**
 * As hook_prepare(), for a function that any thread may enter at any moment: the jump lies within one aligned word from
 * its very first byte on, and is written in one piece. No thread may be in hook->patch + 1 to + 4 then, and nobody else
 * may write there. -ENOTSUP: the function lies across words.
 */
int hook_prepare_word(const struct remote *r, struct hook_page *page, raddr function, raddr agent,
		      struct hook *ret) must_check;
