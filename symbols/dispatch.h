/**
 * The dispatch of the interpreter loop of CPython 3.8 - 3.11, found in the file, without symbols.
 *
 * `opcode_targets` (Python/opcode_targets.h) holds 256 addresses of labels in
 * _PyEval_EvalFrameDefault(). It is where all unused opcodes have the same address, that of the
 * unknown-opcode label, and all used ones another.
 *
 * Up to 3.10 the loop also has a real `switch (opcode)`: the first instruction of a frame passes
 * it, and those after the eval breaker, after EXTENDED_ARG and while tracing. What resumes there
 * resumes right, whichever way it came. Its head is `cmp $max,%REG; ja unknown`. An instruction is
 * not to be told from the tail of another one by its bytes alone: the caller makes sure, with a
 * disassembler, that the head is one.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct cpython;
struct elf_image;

/** All addresses are vaddrs. */
struct dispatch {
	uint64_t function;	 /* _PyEval_EvalFrameDefault; parts of it may be elsewhere */
	uint64_t table;		 /* opcode_targets */
	uint64_t targets[256];	 /* its entries */
	uint64_t unknown;	 /* the label unused opcodes lead to */
	uint64_t switch_head;	 /* of the cmp; 0: no switch */
	uint8_t switch_register; /* it compares: 0 rax, 1 rcx, 2 rdx, 3 rbx ... 15 r15 */
};

/**
 * Find the dispatch of @p python, which cpython_load() found in @p image. Takes some milliseconds.
 * -ENOTSUP if it is not as it has to be, and *@p reason (static) is why, for the user; -EINVAL if
 * the version is traced without traps.
 */
must_check int dispatch_find(const struct elf_image *image, const struct cpython *python, struct dispatch *ret,
			     const char **reason);

/**
 * The last label known at or before @p vaddr, to decode instructions from: an entry of the table or
 * the start of the function. 0: there is none.
 */
uint64_t dispatch_label_before(const struct dispatch *dispatch, uint64_t vaddr);
