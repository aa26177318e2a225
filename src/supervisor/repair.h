/** Taking out of a running program what a pycov-trace that was killed has left in its code. */
#pragma once

#include "supervisor/program.h"

/**
 * Functions that lead to an agent, or to where one is summoned, get back what the file has: PyEval_RestoreThread() if
 * @p waking, in one piece; the others if @p held: the thread of @p r holds the GIL. Returns how many, or an error.
 */
int repair_functions(const struct program *p, const struct remote *r, bool waking, bool held) must_check;

/** How many bytes of the runtime's code differ from its file; an error as remote_read(). */
int64_t repair_count_differences(const struct program *p, const struct remote *r) must_check;

/** Stop recording in @p pid, and take out what is there. The exit status; it is said what was done. */
int repair(pid_t pid) must_check;
