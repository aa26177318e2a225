/**
 * Opcodes of the versions whose lines are traced by traps in the bytecode. Versions with
 * sys.monitoring need none: CPython walks their bytecode itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layout;

struct opcodes {
	uint8_t minor; /* of 3.minor */
	uint8_t trap;  /* to plant; 3.8 - 3.10 unused, 3.11 a real one that hardly ever occurs */
	uint8_t spare; /* another one of that kind, its own base and without caches, to calibrate */
	uint8_t nop, extended_arg;
	uint8_t handlers[4];	  /* 3.9: sys.settrace() sees a line where the handlers of these are entered, */
	uint8_t reraise;	  /* but for what this one raises in the instructions of that very line */
	uint8_t resume;		  /* nothing is traced before the first of these; 0: none */
	uint8_t switch_max;	  /* the largest case of the switch beside the table; 0: there is none */
	uint64_t used[4];	  /* bit sets by number: those with a handler, */
	uint64_t never_plant[4];  /* those the interpreter looks at without running them */
	uint8_t caches[256];	  /* by base opcode: how many units of inline cache follow */
	uint8_t specialized[256]; /* specialized and superinstructions to their base; 0: is its own */
	uint8_t quickened[256];	  /* what quickening makes of a base opcode; 0: leaves it */
};

/** The table for @p layout; NULL if the version needs no traps. */
const struct opcodes *opcodes_find(const struct layout *layout);

/** True if the interpreter has a handler for @p op; all others lead to the unknown-opcode label. */
bool opcodes_is_used(const struct opcodes *opcodes, uint8_t op);

/**
 * True if a trap may replace @p op. The first EXTENDED_ARG in front of an instruction may be
 * replaced, the instruction after one may not: the caller keeps track. So it does of resume, and of
 * co_firsttraceable.
 */
bool opcodes_is_plantable(const struct opcodes *opcodes, uint8_t op);

/** The base opcode of @p op. A superinstruction is its first half. */
uint8_t opcodes_base(const struct opcodes *opcodes, uint8_t op);

/**
 * The form that base opcode @p op takes when its code object is quickened. What was under a trap
 * then and is restored later must be restored so, or it stays slow for ever.
 */
uint8_t opcodes_quickened(const struct opcodes *opcodes, uint8_t op);

/** How many code units of inline cache follow an instruction @p op, specialized or not. */
unsigned int opcodes_cache_units(const struct opcodes *opcodes, uint8_t op);
