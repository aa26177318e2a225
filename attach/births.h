/**
 * Whether a process or thread was born anywhere, for a thousandth of what it costs to look for it: by the number that
 * the kernel gave last (proc(5), /proc/loadavg). Who relies on it looks now and then all the same: some sandboxes
 * have a /proc/loadavg of their own.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/** All zeros is closed, and is opened by births_since(). */
struct births {
	int fd_plus_1;
	pid_t last;
};

/** True if there were some since the last call, the first call included, or if nobody knows. */
bool births_since(struct births *births);
void births_close(struct births *births);
