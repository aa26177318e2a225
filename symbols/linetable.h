/**
 * Line tables of code objects: which line each stretch of bytecode belongs to. The three encodings
 * are those of co_lnotab (Objects/lnotab_notes.txt of 3.9), of 3.10 (the same file of 3.10) and of
 * 3.11 and later (Objects/locations.md, later InternalDocs/code_objects.md).
 *
 * Pure decoders of hostile bytes: each step consumes some, nothing is allocated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "symbols/layout.h"

#define LINETABLE_NO_LINE (-1)

/** [start, end) in bytes of bytecode; start < end. line is LINETABLE_NO_LINE or not negative. */
struct linetable_range {
	uint32_t start, end;
	int32_t line;
};

/** A cursor. Neighbouring ranges may have the same line. */
struct linetable {
	enum layout_linetable kind;
	const uint8_t *next, *limit; /* the caller's bytes */
	uint32_t code_size, address;
	int64_t line; /* the running one */
	int error;    /* the one met before, or 0 */
};

/**
 * Begin at the start of the @p len bytes of the table @p bytes, which the caller keeps until the
 * end, for @p code_size bytes of bytecode that begin at @p first_line (co_firstlineno).
 */
void linetable_init(struct linetable *table, enum layout_linetable kind, const void *bytes, size_t len,
		    int32_t first_line, uint32_t code_size);

/** Get the next range: 1, or 0 at the end. -EBADMSG if the table is malformed, from then on too. */
must_check int linetable_next(struct linetable *table, struct linetable_range *ret);

typedef void linetable_line_fn(void *arg, int32_t line);

/**
 * Call @p fn for each line that coverage.py would find in the code object: those above 0 in
 * co_lines(), up to 3.9 those that its bytecode parser takes from co_lnotab. In the order of the
 * table, some more than once. -EBADMSG as linetable_next(), after the lines before the fault.
 */
must_check int linetable_each_line(enum layout_linetable kind, const void *bytes, size_t len, int32_t first_line,
				   linetable_line_fn *fn, void *arg);
