/**
 * One stack of Python and of compiled code: each frame of the interpreter's loop is replaced by the Python frames that it
 * runs.
 *
 * Which those are is known from 3.11 on: for each call of the loop the interpreter keeps something on the C stack, and
 * the frame that has it there is the one, whatever its name. Before, loop and Python frame are one to one, and the loop
 * is recognised by its name. Where that does not work out, Python's frames stand alone.
 */
#pragma once

#include "sample/profile.h"
#include "sample/target.h"

/** The id of a frame of Python in @p profile. -ENOMEM. */
int python_frame_id(struct profile *profile, struct pyframe *frame, uint32_t *ret) must_check;

/**
 * Fill @p ids (of PYSTACK_DEPTH_MAX), innermost first, from t->stack, just read, and the stack of compiled code of
 * @p thread, which is stopped. -ESRCH, -ENOMEM.
 */
int native_stack_read(struct target *t, struct target_thread *thread, struct profile *profile, uint32_t *ids,
		      size_t *n) must_check;
