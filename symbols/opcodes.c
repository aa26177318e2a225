#include "symbols/opcodes.h"

#include "symbols/layout.h"

#define BIT(op) (UINT64_C(1) << (op) % 64)

/*
 * From Lib/opcode.py (`opcode.opmap`) and, for 3.11, Include/opcode.h and
 * Include/internal/pycore_opcode.h (_PyOpcode_Deopt, _PyOpcode_Caches) of 3.8.18, 3.9.18, 3.10.13
 * and 3.11.7; the numbers do not change after the release candidates. `quickened` is what
 * _PyCode_Quicken() in Python/specialize.c writes.
 *
 * Traps: on 3.8 - 3.10 numbers above the range of the switch. On 3.11 an unused number has CACHE as
 * its base opcode, which a traced frame would run, so PRINT_EXPR (70) is borrowed: only the
 * interactive prompt has it. DELETE_DEREF (139), `del` of a closed-over variable, is the spare.
 */
/* clang-format off */
static const struct opcodes tables[] = {
	{
		.minor = 8,
		.trap = 254, .spare = 253, .nop = 9, .extended_arg = 144, .switch_max = 163,
		.used = { 0xfbfc00003fdb9e7e, 0x741ffff7fffefbff, 0x0000000f7fffe7bc, 0 },
		.never_plant = { 0, BIT(72), 0, 0 }, /* YIELD_FROM */
	},
	{
		.minor = 9,
		.trap = 254, .spare = 253, .nop = 9, .extended_arg = 144, .switch_max = 165,
		.used = { 0xfbdf00003fdb9e7e, 0x767ffff7fefcffff, 0x0000003f3c1fe7bc, 0 },
		.never_plant = { 0, BIT(72), 0, 0 }, /* YIELD_FROM */
		.handlers = { 122, 143, 154 }, /* SETUP_FINALLY, SETUP_WITH, SETUP_ASYNC_WITH */
		.reraise = 48,
	},
	{
		.minor = 10,
		.trap = 254, .spare = 253, .nop = 9, .extended_arg = 144, .switch_max = 165,
		.used = { 0xfbde0007ffdb9e7e, 0x76fffffffefcffff, 0x0000003f3d1fe7be, 0 },
		.never_plant = { 0, BIT(72), BIT(129), 0 }, /* YIELD_FROM, GEN_START */
	},
	{
		.minor = 11,
		.trap = 70, .spare = 139, .nop = 9, .extended_arg = 144, .resume = 151,
		.used = { 0xffffffffffffffff, 0xffffffffffffffff, 0x001fffffffffffff,
			  0x8000000000000000 },
		.never_plant = {
			BIT(0),             /* CACHE */
			BIT(75) | BIT(123), /* RETURN_GENERATOR, SEND */
			/* MAKE_CELL, COPY_FREE_VARS, RESUME_QUICK, RESUME */
			BIT(135) | BIT(149) | BIT(150) | BIT(151),
			BIT(255), /* DO_TRACING */
		},
		.caches = {
			[25] = 4, [60] = 1, [92] = 1, [95] = 4, [106] = 4, [107] = 2, [116] = 5,
			[122] = 1, [160] = 10, [166] = 1, [171] = 4,
		},
		.specialized = {
			[3] = 122, [4] = 122, [5] = 122, [6] = 122, [7] = 122, [8] = 122,
			[13] = 122, [14] = 122, [16] = 122, [17] = 25, [18] = 25, [19] = 25,
			[20] = 25, [21] = 25, [22] = 171, [23] = 171, [24] = 171, [26] = 107,
			[27] = 107, [28] = 107, [29] = 107, [34] = 144, [38] = 140, [39] = 106,
			[40] = 106, [41] = 106, [42] = 106, [43] = 106, [44] = 100, [45] = 124,
			[46] = 124, [47] = 116, [48] = 116, [55] = 116, [56] = 160, [57] = 160,
			[58] = 160, [59] = 160, [62] = 160, [63] = 160, [64] = 166, [65] = 166,
			[66] = 166, [67] = 166, [72] = 166, [73] = 166, [76] = 166, [77] = 166,
			[78] = 166, [79] = 166, [80] = 166, [81] = 166, [113] = 166, [121] = 166,
			[127] = 166, [141] = 166, [143] = 166, [150] = 151, [153] = 95, [154] = 95,
			[158] = 95, [159] = 95, [161] = 125, [167] = 125, [168] = 60, [169] = 60,
			[170] = 60, [177] = 92, [178] = 92, [179] = 92, [180] = 92,
		},
		.quickened = {
			[25] = 17, [60] = 168, [92] = 177, [95] = 153, [106] = 39, [107] = 26,
			[116] = 47, [122] = 3, [140] = 38, [144] = 34, [151] = 150, [160] = 56,
			[166] = 64, [171] = 22,
		},
	},
};
/* clang-format on */

const struct opcodes *opcodes_find(const struct layout *layout)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].minor == layout->minor)
			return &tables[i];
	}
	return NULL;
}

bool opcodes_is_used(const struct opcodes *opcodes, uint8_t op)
{
	return opcodes->used[op / 64] & BIT(op);
}

bool opcodes_is_plantable(const struct opcodes *opcodes, uint8_t op)
{
	return opcodes_is_used(opcodes, op) && op != opcodes->trap && !(opcodes->never_plant[op / 64] & BIT(op));
}

uint8_t opcodes_base(const struct opcodes *opcodes, uint8_t op)
{
	return opcodes->specialized[op] ? opcodes->specialized[op] : op;
}

uint8_t opcodes_quickened(const struct opcodes *opcodes, uint8_t op)
{
	return opcodes->quickened[op] ? opcodes->quickened[op] : op;
}

unsigned int opcodes_cache_units(const struct opcodes *opcodes, uint8_t op)
{
	return opcodes->caches[opcodes_base(opcodes, op)];
}
