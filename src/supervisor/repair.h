/** Taking out of a running program what a pycov-trace that was killed has left in its code. */
#pragma once

#include "supervisor/program.h"

/** The functions where threads are met get back what the file has if they lead to where one was summoned: how many did. */
int repair_waking(const struct program *p, const struct remote *r) must_check;

/** Does function @p which lead to the agent p->blob? Then *@p ret is as when it was hooked, by way of *@p stub. */
bool repair_finds_hook(const struct program *p, const struct remote *r, enum agent_hook which, struct hook *ret,
		       raddr *stub);

/** Does an agent record in it that is of another build than ours? */
bool repair_finds_stranger(const struct program *p, const struct remote *r);

/** How many bytes of the runtime's code differ from its file; an error as remote_read(). */
int64_t repair_count_differences(const struct program *p, const struct remote *r) must_check;

/** Stop recording in @p pid, and take out what is there. The exit status; it is said what was done. */
int repair(pid_t pid) must_check;
