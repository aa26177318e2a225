/** Open a process to be sampled, or say why it cannot be. */
#pragma once

#include "sample/target.h"
#include "supervisor/refusal.h"

/** As target_new(), with the refusal in words. -EAGAIN has none: there is a Python without an interpreter (yet). */
int access_target(struct runtimes *runtimes, pid_t pid, bool blocking, struct target **ret,
		  struct refusal *refusal) must_check;
