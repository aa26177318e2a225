/**
 * Functions of the target that lead through the agent. In a page near the function: a jump to the agent, and the
 * function's first instructions moved, which lead back. Written while no thread is in those instructions.
 */
#pragma once

#include "attach/remote.h"

/** Executable memory in the target, near what is to be hooked. */
struct hook_page {
	raddr addr;
	size_t size, used;
};

/** A hook that is prepared. */
struct hook {
	raddr patch;	       /* where the jump goes */
	unsigned char jump[5];
	raddr resume;	       /* where the function's own code goes on */
};

/**
 * Prepare that the function at @p function goes to @p agent first; it is as it was until hook_arm(), before which the
 * agent must know `resume`. -ENOTSUP: its first instructions cannot be moved. -ENOSPC: the page is full.
 */
int hook_prepare(const struct remote *r, struct hook_page *page, raddr function, raddr agent,
		 struct hook *ret) must_check;
int hook_arm(const struct remote *r, const struct hook *hook) must_check;
