/**
 * Values and local variables, read from memory that may lie and may change meanwhile: what is shown is what was there
 * at some moment each. Everything is bounded: depth, elements, characters.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "symbols/pystack.h"

/**
 * Write to @p out what repr() would say of the object at @p addr: of None, bool, int, float, str, bytes, list, tuple,
 * dict and set, and of anything else its type. At most some @p max characters; then "...". Not escaped for a terminal
 * but for what repr() escapes.
 */
void pyvalue_write(const struct mem_reader *reader, const struct pyruntime *python, uint64_t addr, size_t max,
		   FILE *out);

/** A local variable. */
struct pylocal {
	const char *name; /* UTF-8 */
	uint64_t value;	  /* its address */
	bool is_argument;
};

/**
 * Call @p fn for each local variable of @p frame that has a value, in the order of its code. -EAGAIN: the frame or its
 * code are not what they were; -ESRCH, -EPERM, -ENOMEM.
 */
must_check int pylocals_each(const struct mem_reader *reader, const struct pyruntime *python,
			     const struct pyframe *frame, void (*fn)(void *arg, const struct pylocal *local),
			     void *arg);
