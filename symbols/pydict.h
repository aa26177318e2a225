/**
 * Dictionaries and the attributes of instances, read from memory that may lie and may change meanwhile.
 */
#pragma once

#include <stdbool.h>

#include "symbols/pycode.h"

/** The entries of a dictionary, or of the attributes of an instance. */
struct pydict {
	uint64_t entries, values; /* values: of a split table, or 0 */
	uint64_t n;
	unsigned int size; /* of an entry */
	unsigned int key;  /* where in it; the value is behind that */
};

/** Open the dict at @p addr. -EBADMSG: it is none; -EFAULT, -ESRCH, -EPERM. */
must_check int pydict_open(const struct mem_reader *reader, const struct layout *layout, uint64_t addr,
			   struct pydict *ret);

/** Open the attributes that the object at @p addr has for itself. -ENOENT: none, or its size varies. Else as pydict_open(). */
must_check int pydict_open_instance(const struct mem_reader *reader, const struct layout *layout, uint64_t addr,
				    struct pydict *ret);

/** Key and value of entry @p i, below `n`; zeros if it is empty. Errors as pydict_open(). */
must_check int pydict_get(const struct mem_reader *reader, const struct pydict *dict, uint64_t i, uint64_t pair[2]);

/** The value of the str @p name. -ENOENT: there is none. Else as pydict_open(). Looks through all. */
must_check int pydict_find(const struct mem_reader *reader, const struct layout *layout, const struct pydict *dict,
			   const char *name, uint64_t *ret);
