/**
 * The memory of something else, by address: a live process, a core file, a recorded image. Who decodes gets a reader
 * and need not know.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct mem_range {
	uint64_t addr;
	void *buf;
	size_t len;
};

struct mem_reader {
	/**
	 * Read the ranges in their order. Returns how many were read whole before the first that could not be; the
	 * buffers from there on are undefined. -ESRCH: there is nobody any more; -EPERM.
	 */
	ssize_t (*read)(void *arg, const struct mem_range *ranges, size_t n);
	void *arg;
};

/** Read all of one range. -EFAULT, -ESRCH, -EPERM. */
static inline int mem_read(const struct mem_reader *reader, uint64_t addr, void *buf, size_t len)
{
	struct mem_range range = {addr, buf, len};
	ssize_t n = len ? reader->read(reader->arg, &range, 1) : 1;

	return n < 0 ? (int)n : n == 1 ? 0 : -EFAULT;
}

static inline int mem_read_u64(const struct mem_reader *reader, uint64_t addr, uint64_t *ret)
{
	return mem_read(reader, addr, ret, sizeof(*ret));
}
