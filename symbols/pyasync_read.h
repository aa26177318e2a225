/** What pyasync.c and pyawaiters.c read objects with. */
#pragma once

#include <errno.h>

#include "symbols/pyasync.h"

#define PYASYNC_TYPE_NAME_MAX 40
#define PYASYNC_WRAPPED 16 /* in an object of two fields: coroutine_wrapper, async_generator_asend, FutureIter, ... */

static inline uint64_t pyasync_at(uint64_t addr, int32_t offset)
{
	return addr + (uint64_t)(int64_t)offset;
}

/** What could not be read was not what it was taken for. */
static inline int pyasync_again(int r)
{
	return r == -EFAULT || r == -EBADMSG || r == -ENOENT ? -EAGAIN : r;
}

must_check int pyasync_u64(const struct pyasync *a, uint64_t addr, uint64_t *ret);

/** The name of a type, cut; "" if it cannot be read. */
void pyasync_type_name(const struct pyasync *a, uint64_t type, char name[PYASYNC_TYPE_NAME_MAX]);

enum pyawaitable pyasync_kind(struct pyasync *a, uint64_t object);

/** Each object in a set, behind its reference if they are @p weak, until @p fn returns non-zero. */
must_check int pyasync_each_in_set(const struct pyasync *a, uint64_t set, bool weak,
				   int (*fn)(void *arg, uint64_t object), void *arg);
