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

/** What an instruction does to the flow. */
enum branches_op {
	BRANCHES_OP_PLAIN,
	BRANCHES_OP_EXTENDED,
	BRANCHES_OP_BRANCH,	 /* may jump forwards */
	BRANCHES_OP_BRANCH_BACK, /* backwards */
	BRANCHES_OP_BRANCH_TO,	 /* to an address */
	BRANCHES_OP_JUMP,	 /* always jumps */
	BRANCHES_OP_JUMP_BACK,
	BRANCHES_OP_JUMP_TO,
	BRANCHES_OP_SEND, /* as BRANCH, of which the jump alone is told, up to 3.11 */
	BRANCHES_OP_RETURN,
	BRANCHES_OP_RAISE,   /* nothing follows */
	BRANCHES_OP_SETUP,   /* up to 3.10: exceptions lead to its target */
	BRANCHES_OP_FINALLY, /* 3.8: jumps, and what comes after its END returns behind it */
	BRANCHES_OP_FINALLY_END,
	BRANCHES_OP_TOLD,   /* up to 3.11: goes on, or raises, and that is told */
	BRANCHES_OP_RESUME, /* before and with the first one of these nothing counts */
	BRANCHES_OP_ASYNC_END, /* 3.14: the way out of the loop that the instruction before its target begins, which is told as its jump */
};

/** Of that version; PLAIN if it is not known. */
enum branches_op branches_op_of(uint8_t minor, uint8_t opcode);
/** How many bytes its arguments count in jumps. */
unsigned int branches_jump_unit(uint8_t minor);

struct branches_code {
	uint8_t minor; /* of 3.minor */
	enum layout_linetable linetable_kind;
	int32_t first_line;	 /* co_firstlineno */
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
int branches_resolve(const struct branches_code *code, const struct lineset *ran, branches_arc_fn *fn,
		     void *arg) must_check;
