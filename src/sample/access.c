#include "sample/access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int access_target(struct runtimes *runtimes, pid_t pid, bool blocking, struct target **ret, struct refusal *refusal)
{
	const char *reason = NULL;
	int r;

	if (refusal_find(pid, blocking ? REFUSAL_TRACE : REFUSAL_READ, refusal))
		return -EPERM;
	r = target_new(runtimes, pid, ret, &reason);
	switch (r) {
	case 0:
		return 0;
	case -ENOENT:
		refusal_not_python(pid, refusal);
		return r;
	case -ENOTSUP:
		refusal_python(pid, reason, refusal);
		return r;
	case -EAGAIN:
		refusal_python(pid, "there is a Python in it, but it has not begun, or has ended", refusal);
		return r;
	}
	if (!refusal_find(pid, REFUSAL_READ, refusal))
		refusal_python(pid, strerror(-r), refusal);
	return r;
}
