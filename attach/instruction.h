/**
 * The shape of one x86-64 instruction: how long it is, where the parts are that say where something
 * else is, and whether and how it leaves the straight path. It does not know what the instruction
 * does otherwise, nor whether it is valid with these operands.
 *
 * Pure. Intel SDM 2, chapter 2 and appendix A; AMD64 APM 3, appendix A.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define INSTRUCTION_SIZE_MAX 15

enum instruction_flow {
	FLOW_ON,     /* goes on with the next one */
	FLOW_JCC,    /* or jumps, on flags */
	FLOW_BRANCH, /* or jumps, on something else: LOOP, JRCXZ, XBEGIN */
	FLOW_JUMP,   /* JMP, whether relative or not */
	FLOW_CALL,   /* CALL */
	FLOW_RETURN, /* RET, IRET */
	FLOW_STOP,   /* UD2, HLT */
	FLOW_INT3,
};

struct instruction {
	uint8_t size;
	uint8_t flow;	       /* enum instruction_flow */
	uint8_t condition;     /* FLOW_JCC: the low four bits of its opcode */
	bool is_nop;	       /* NOP of any length */
	bool is_short_address; /* prefix 67: addresses of 32 bits */
	uint8_t relative_at;   /* offset of what is relative to the instruction's end, 0: nothing */
	uint8_t relative_size; /* 1 or 4 bytes, signed */
	bool is_branch;	       /* that is where it jumps, not what it addresses */
	int32_t relative;
};

/**
 * Decode what begins at @p code, of which @p len bytes are there. -EBADMSG: no instruction, or none
 * that compilers make (3DNow!, XOP, SSE4a's EXTRQ), or it is cut off.
 */
must_check int instruction_decode(const uint8_t *code, size_t len, struct instruction *ret);
