/**
 * A detour: a 5-byte `jmp` at the start of a function, or at a label, that leads elsewhere, and a
 * copy of the instructions it overwrites that goes on behind it. x86-64.
 *
 * Pure: works on bytes and addresses, writes nothing. The caller sees to it that no thread is
 * inside the overwritten instructions, or moves it with detour_translate(), and that nothing jumps
 * into them, with detour_check_landings().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define DETOUR_JUMP_SIZE 5
/* Four bytes short of enough, and the longest instruction. */
#define DETOUR_COVERED_MAX (DETOUR_JUMP_SIZE - 1 + 15)
/* At most five instructions, each at most rewritten as a 16-byte one, and the way back. */
#define DETOUR_COPY_MAX 112

/** All addresses are those at run time. */
struct detour {
	uint64_t patch;	 /* where to write the jump: the start, behind an ENDBR64 */
	uint64_t copy;	 /* where the copy is to be */
	uint8_t covered; /* bytes of whole instructions from patch on: DETOUR_JUMP_SIZE or more */
	uint8_t copy_size;
	uint8_t n_instructions;
	uint8_t original[DETOUR_COVERED_MAX];		      /* the covered bytes */
	uint8_t bytes[DETOUR_COPY_MAX];			      /* the copy */
	uint8_t from[DETOUR_JUMP_SIZE], to[DETOUR_JUMP_SIZE]; /* of each instruction: its offsets */
};

/**
 * Plan a detour at @p addr, whose @p len bytes are @p code (DETOUR_COVERED_MAX + 4 always suffice),
 * with the copy to be placed at @p copy, DETOUR_COPY_MAX bytes. -ENOTSUP: an instruction cannot be
 * moved, or the code ends before five bytes. -ERANGE: the copy is too far from what the code
 * addresses relative to itself; within 2 GiB it never is. -EBADMSG: not instructions.
 */
must_check int detour_plan(const uint8_t *code, size_t len, uint64_t addr, uint64_t copy, struct detour *ret);

/** Encode `jmp to` for address @p from. -ERANGE: they are more than 2 GiB apart. */
must_check int detour_encode_jump(uint64_t from, uint64_t to, uint8_t ret[DETOUR_JUMP_SIZE]);

/**
 * Where a thread at @p pc has to go on once the detour is in place: the same instruction in the
 * copy if @p pc is behind the start of the covered ones, else @p pc itself.
 */
uint64_t detour_translate(const struct detour *detour, uint64_t pc);

/** The reverse, for taking the detour away: the original place of an instruction in the copy. */
uint64_t detour_translate_back(const struct detour *detour, uint64_t pc);

/**
 * Make sure that no direct branch in the segment of @p len bytes @p code at @p addr leads into the
 * middle of @p detour. @p labels are @p n addresses, in any order, where instructions are known to
 * begin, as jump targets; the patch itself need not be among them. -ENOTSUP if one may.
 */
must_check int detour_check_landings(const struct detour *detour, const uint8_t *code, size_t len, uint64_t addr,
				     const uint64_t *labels, size_t n);

/**
 * Make sure that an instruction begins at @p target, by decoding from @p start on, where one does:
 * both in the @p len bytes @p code at @p addr. -ENOENT if none does.
 */
must_check int detour_check_boundary(const uint8_t *code, size_t len, uint64_t addr, uint64_t start, uint64_t target);
