/**
 * Windows on a memory that is looked at again and again in nearly the same places: what the last walk used is read by
 * one call before the next walk begins, so that a walk that meets what it met before costs one system call.
 *
 * Bytes are copied out: nothing points into a window.
 */
#pragma once

#include <stdbool.h>

#include "base/mem.h"

/** More than these are not kept nor read in one walk: a chain that leads all over the place is a lie. */
#define MEM_WINDOWS_MAX 16384
#define MEM_WINDOWS_BYTES_MAX ((size_t)8 << 20)

struct mem_window {
	uint64_t addr;
	uint32_t len, at;	     /* bytes, and where they are in the buffer */
	uint32_t used_from, used_to; /* what the walk asked for; used_to 0: nothing */
	uint8_t credit;		     /* for how many walks it stays unused: the more often it was used, the more */
	bool is_valid;
};

/** All zeros but `reader` is without windows. */
struct mem_windows {
	const struct mem_reader *reader;
	struct mem_window *windows;
	size_t n, room, hint;
	size_t n_sorted; /* as many of the first are by address, and do not overlap */
	uint8_t *buf;
	size_t filled, buf_room;
	struct mem_range *ranges;
	size_t ranges_room;
	struct mem_window **targets; /* of the ranges */
	size_t targets_room;
	unsigned int misses; /* reads beyond the one of mem_windows_begin() */
};

void mem_windows_deinit(struct mem_windows *w);

/** Forget all windows: the memory is another one. */
void mem_windows_clear(struct mem_windows *w);

/** Begin a walk: read again what the last ones used, in no order to rely on. -ENOMEM, -ESRCH, -EPERM. */
must_check int mem_windows_begin(struct mem_windows *w);

/** The same of several, which have one reader, by one call: all of the first, then all of the second, and so on. */
must_check int mem_windows_begin_all(struct mem_windows *const *all, size_t n);

/**
 * Copy @p len bytes at @p addr. What is not in a window becomes one, with as many as @p before bytes in front of it
 * and @p after behind it, as far as they are in the same pages. -EFAULT, -ESRCH, -EPERM, -ENOMEM; -E2BIG.
 */
must_check int mem_windows_get(struct mem_windows *w, uint64_t addr, void *buf, size_t len, size_t before,
			       size_t after);
