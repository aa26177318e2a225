/** The stack of each thread of a process, and the tasks of asyncio, once, on standard output. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "supervisor/refusal.h"

struct dump_options {
	bool json, locals, blocking;
	bool async; /* the tasks of asyncio as well */
};

/** Write it. When that cannot be, *@p refusal says why; -errno. */
int dump(pid_t pid, const struct dump_options *options, struct refusal *refusal) must_check;
