/** Strings and bytes of CPython, read from memory that may lie. */
#pragma once

#include "base/mem.h"

struct layout;

/**
 * Read the str at @p addr as UTF-8, at most @p max characters of it; what came from undecodable bytes
 * (surrogateescape) becomes those bytes again. The caller frees *@p ret. -EBADMSG: it is none; -EFAULT, -ESRCH, -ENOMEM.
 */
must_check int pytext_read(const struct mem_reader *reader, const struct layout *layout, uint64_t addr, size_t max,
			   char **ret);

/** Read the bytes object at @p addr. -EBADMSG: longer than @p max. Else as pytext_read(). */
must_check int pytext_read_bytes(const struct mem_reader *reader, const struct layout *layout, uint64_t addr,
				 size_t max, uint8_t **ret, size_t *len);
