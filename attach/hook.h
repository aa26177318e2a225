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

/**
 * Make the function at @p function go to @p agent first. *@p resume is where its own code goes on.
 * -ENOTSUP: its first instructions cannot be moved. -ENOSPC: the page is full. On error the function is as it was.
 */
int hook_set(const struct remote *r, struct hook_page *page, raddr function, raddr agent, raddr *resume) must_check;
