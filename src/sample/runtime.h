/**
 * The Python in a process that runs already: which of the files mapped there has it, where, and of what version. Each
 * file is looked at once, however many processes map it.
 */
#pragma once

#include "attach/remote.h"
#include "base/hashmap.h"
#include "symbols/cpython.h"
#include "symbols/pystack.h"

/** What is known of files. */
struct runtimes {
	struct hashmap files;
	struct hash_key key;
};

void runtimes_init(struct runtimes *runtimes);
void runtimes_deinit(struct runtimes *runtimes);

struct runtime {
	const struct cpython *py;
	struct pyruntime python;
	uint64_t bias;
	char *path; /* as /proc/PID/maps has it */
};

void runtime_deinit(struct runtime *runtime);

/**
 * Find the runtime of @p remote's process; with several, the one that has interpreters. *@p ret is valid as long as
 * @p runtimes. -ENOENT: there is none; -ENOTSUP: there is one, and *@p reason (static) says why it cannot be read;
 * -EAGAIN: there is one, but without an interpreter (yet); -ESRCH, -EPERM, -ENOMEM.
 */
int runtime_find(struct runtimes *runtimes, struct remote *remote, struct runtime *ret, const char **reason) must_check;
