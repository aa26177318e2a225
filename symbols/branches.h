/**
 * What ran, from which ways the instructions of a code object went: arcs between lines, as coverage.py means them. One
 * leads from the line of a branch to the line where its way comes to next, or out of the code object; then it ends in
 * the negative of the line that the code object begins at.
 *
 * Pure, of hostile bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/lineset.h"
#include "symbols/layout.h"

/* Two bits for each code unit of two bytes, those of unit n being bits 2 * (n % 4) and the next of byte n / 4. */
#define BRANCHES_WAY_ON 1u   /* it went on to the next instruction, or returned */
#define BRANCHES_WAY_JUMP 2u /* it jumped */

struct branches_code {
	uint8_t minor; /* of 3.minor */
	enum layout_linetable linetable_kind;
	int32_t first_line; /* co_firstlineno */
	const uint8_t *bytecode; /* as it was compiled */
	const uint8_t *ways;
	const uint8_t *table; /* its line table */
	size_t size, table_len;
};

/** A non-zero result ends the search, and is its result. */
typedef int branches_arc_fn(void *arg, int32_t from, int32_t to);

/** True if arcs can be told from the bytecode of that version. */
bool branches_are_known(uint8_t minor);

/**
 * Call @p fn for each arc that was taken, for some more than once, and for a line that an instruction tells of with an
 * arc from it to itself. @p ran: the lines of the file that ran, to which @p fn may add. No other arc leads to a line that
 * did not run; and where a line can only have been come to from one other, that it ran says it all. -EBADMSG: it is
 * malformed; -ENOTSUP: of a version that is not known; -ENOMEM.
 */
int branches_resolve(const struct branches_code *code, const struct lineset *ran, branches_arc_fn *fn, void *arg) must_check;
