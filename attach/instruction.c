#include "attach/instruction.h"

#include <errno.h>
#include <string.h>

/* What stands behind an opcode. */
enum {
	M = 1,	   /* ModRM */
	I8 = 2,	   /* 8 bits */
	I16 = 4,   /* 16 bits */
	IZ = 8,	   /* 32 bits, 16 with prefix 66 */
	IV = 16,   /* 64 bits with REX.W, else as IZ */
	OFF = 32,  /* an address */
	R8 = 64,   /* 8 bits relative to the end */
	R32 = 128, /* 32 bits relative to the end */
	BAD = 256,
	PREFIX = 512,
};

#define ROW4(x) x, x, x, x
#define ROW8(x) ROW4(x), ROW4(x)
#define ARITHMETIC ROW4(M), I8, IZ

/* clang-format off */
static const uint16_t one_byte[256] = {
	/* 00 */ ARITHMETIC, BAD, BAD, ARITHMETIC, BAD, BAD,
	/* 10 */ ARITHMETIC, BAD, BAD, ARITHMETIC, BAD, BAD,
	/* 20 */ ARITHMETIC, PREFIX, BAD, ARITHMETIC, PREFIX, BAD,
	/* 30 */ ARITHMETIC, PREFIX, BAD, ARITHMETIC, PREFIX, BAD,
	/* 40: REX, seen to before */ ROW8(BAD), ROW8(BAD),
	/* 50 */ ROW8(0), ROW8(0),
	/* 60 */ BAD, BAD, BAD, M, ROW4(PREFIX), IZ, M | IZ, I8, M | I8, ROW4(0),
	/* 70 */ ROW8(R8), ROW8(R8),
	/* 80 */ M | I8, M | IZ, BAD, M | I8, ROW4(M), ROW8(M),
	/* 90 */ ROW8(0), 0, 0, BAD, 0, ROW4(0),
	/* a0 */ ROW4(OFF), ROW4(0), I8, IZ, 0, 0, ROW4(0),
	/* b0 */ ROW8(I8), ROW8(IV),
	/* c0 */ M | I8, M | I8, I16, 0, BAD, BAD, M | I8, M | IZ, I16 | I8, 0, I16, 0, 0, I8, BAD, 0,
	/* d0 */ ROW4(M), BAD, BAD, BAD, 0, ROW8(M),
	/* e0 */ ROW4(R8), ROW4(I8), R32, R32, BAD, R8, ROW4(0),
	/* f0 */ PREFIX, 0, PREFIX, PREFIX, 0, 0, M, M, ROW4(0), 0, 0, M, M,
};

static const uint16_t two_bytes[256] = {
	/* 00 */ ROW4(M), BAD, 0, 0, 0, 0, 0, BAD, 0, BAD, M, 0, BAD,
	/* 10 */ ROW8(M), ROW8(M),
	/* 20 */ ROW4(M), ROW4(BAD), ROW8(M),
	/* 30 */ ROW4(0), 0, 0, BAD, 0, ROW8(BAD),
	/* 40 */ ROW8(M), ROW8(M),
	/* 50 */ ROW8(M), ROW8(M),
	/* 60 */ ROW8(M), ROW8(M),
	/* 70 */ ROW4(M | I8), M, M, M, 0, M, M, BAD, BAD, ROW4(M),
	/* 80 */ ROW8(R32), ROW8(R32),
	/* 90 */ ROW8(M), ROW8(M),
	/* a0 */ 0, 0, 0, M, M | I8, M, BAD, BAD, 0, 0, 0, M, M | I8, M, M, M,
	/* b0 */ ROW8(M), M, M, M | I8, M, ROW4(M),
	/* c0 */ M, M, M | I8, M, M | I8, M | I8, M | I8, M, ROW8(0),
	/* d0 */ ROW8(M), ROW8(M),
	/* e0 */ ROW8(M), ROW8(M),
	/* f0 */ ROW8(M), ROW8(M),
};
/* clang-format on */

enum map {
	MAP_ONE,
	MAP_TWO, /* 0f */
	MAP_0F38,
	MAP_0F3A,
	MAP_LATER, /* of EVEX alone */
};

struct decoder {
	const uint8_t *code;
	size_t len, at;
	bool has_66, has_67, has_f2, rex_w, rex_b, is_vector;
	enum map map;
	uint8_t opcode;
	uint16_t what;
};

static bool take(struct decoder *d, size_t n)
{
	d->at += n;
	return d->at <= d->len && d->at <= INSTRUCTION_SIZE_MAX;
}

static bool take_byte(struct decoder *d, uint8_t *ret)
{
	if (!take(d, 1))
		return false;
	*ret = d->code[d->at - 1];
	return true;
}

static bool take_prefixes(struct decoder *d)
{
	bool is_rex;

	do {
		if (!take_byte(d, &d->opcode))
			return false;
		d->has_66 |= d->opcode == 0x66;
		d->has_67 |= d->opcode == 0x67;
		d->has_f2 |= d->opcode == 0xf2;
		is_rex = (d->opcode & 0xf0) == 0x40;
		/* Counts right before the opcode only. */
		if (is_rex || one_byte[d->opcode] == PREFIX) {
			d->rex_w = is_rex && d->opcode & 8;
			d->rex_b = is_rex && d->opcode & 1;
		}
	} while (is_rex || one_byte[d->opcode] == PREFIX);
	return true;
}

/* VEX and EVEX stand in place of the other prefixes and escapes; their opcodes take what those of SSE take. */
static bool take_vector(struct decoder *d)
{
	const uint8_t sizes[] = {[0xc5 & 3] = 1, [0xc4 & 3] = 2, [0x62 & 3] = 3};
	uint8_t first = d->opcode, map = 1;

	d->is_vector = true;
	if (first != 0xc5) {
		if (d->at >= d->len)
			return false;
		map = first == 0xc4 ? d->code[d->at] & 31 : d->code[d->at] & 7;
	}
	if (!take(d, sizes[first & 3]) || !take_byte(d, &d->opcode) || !map || map > 6)
		return false;
	d->map = map > 3 ? MAP_LATER : (enum map)map;
	if (d->map == MAP_TWO)
		d->what = d->opcode == 0x77 ? 0 : M | (two_bytes[d->opcode] & I8);
	else
		d->what = d->map == MAP_0F3A ? M | I8 : M;
	return true;
}

static bool take_opcode(struct decoder *d)
{
	if (!take_prefixes(d))
		return false;
	if (d->opcode == 0xc4 || d->opcode == 0xc5 || d->opcode == 0x62)
		return take_vector(d);
	d->what = one_byte[d->opcode];
	if (d->opcode != 0x0f)
		return d->what != BAD && d->what != PREFIX;
	d->map = MAP_TWO;
	if (!take_byte(d, &d->opcode))
		return false;
	d->what = two_bytes[d->opcode];
	if (d->opcode == 0x38 || d->opcode == 0x3a) {
		d->map = d->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
		d->what = d->opcode == 0x38 ? M : M | I8;
		return take_byte(d, &d->opcode);
	}
	/* EXTRQ and INSERTQ of SSE4a */
	if (d->opcode == 0x78 && (d->has_66 || d->has_f2))
		return false;
	return d->what != BAD;
}

static void note_relative(struct decoder *d, struct instruction *ret, size_t size)
{
	ret->relative_at = (uint8_t)(d->at - size);
	ret->relative_size = (uint8_t)size;
	ret->relative = (int8_t)d->code[d->at - size];
	if (size == sizeof(ret->relative))
		memcpy(&ret->relative, d->code + d->at - size, size);
}

static bool take_modrm(struct decoder *d, struct instruction *ret, uint8_t *modrm)
{
	uint8_t mod, base;

	if (!take_byte(d, modrm))
		return false;
	/* Control and debug registers are moved to registers only, whatever it says. */
	mod = d->map == MAP_TWO && (d->opcode & ~3) == 0x20 && !d->is_vector ? 3 : *modrm >> 6;
	base = *modrm & 7;
	if (mod == 3)
		return true;
	if (base == 4) {
		if (!take_byte(d, &base))
			return false;
		base = mod == 0 && (base & 7) == 5 ? 5 : 4;
	} else if (mod == 0 && base == 5) {
		if (!take(d, 4))
			return false;
		note_relative(d, ret, 4);
		return true;
	}
	return take(d, mod == 1 ? 1 : mod == 2 || (mod == 0 && base == 5) ? 4 : 0);
}

/* The few whose ModRM says more than what they address. */
static bool extend(struct decoder *d, uint8_t modrm)
{
	uint8_t reg = modrm >> 3 & 7;

	if (d->map != MAP_ONE)
		return true;
	if ((d->opcode == 0xf6 || d->opcode == 0xf7) && reg < 2)
		d->what |= d->opcode == 0xf6 ? I8 : IZ;
	else if (d->opcode == 0xc7 && modrm == 0xf8)
		d->what = M | R32;
	/* XOP; and what does not exist */
	return (d->opcode != 0x8f && d->opcode != 0xc6 && d->opcode != 0xc7) || reg == 0 || modrm == 0xf8;
}

static bool take_immediate(struct decoder *d, struct instruction *ret)
{
	size_t z = d->has_66 && !d->rex_w ? 2 : 4, n = 0;

	if (d->what & R32 && d->has_66)
		return false; /* Intel and AMD do not agree */
	n += d->what & I8 ? 1 : 0;
	n += d->what & I16 ? 2 : 0;
	n += d->what & IZ ? z : 0;
	n += d->what & IV ? d->rex_w ? 8 : z : 0;
	n += d->what & OFF ? d->has_67 ? 4 : 8 : 0;
	n += d->what & R8 ? 1 : 0;
	n += d->what & R32 ? 4 : 0;
	if (!take(d, n))
		return false;
	if (d->what & (R8 | R32)) {
		note_relative(d, ret, n);
		ret->is_branch = true;
	}
	return true;
}

static enum instruction_flow flow_of_one(const struct decoder *d, uint8_t modrm)
{
	switch (d->opcode) {
	case 0x70 ... 0x7f:
		return FLOW_JCC;
	case 0xe0 ... 0xe3:
		return FLOW_BRANCH;
	case 0xc7:
		return modrm == 0xf8 ? FLOW_BRANCH : FLOW_ON;
	case 0xe9:
	case 0xeb:
		return FLOW_JUMP;
	case 0xe8:
		return FLOW_CALL;
	case 0xc2:
	case 0xc3:
	case 0xca:
	case 0xcb:
	case 0xcf:
		return FLOW_RETURN;
	case 0xcc:
		return FLOW_INT3;
	case 0xf4:
		return FLOW_STOP;
	case 0xff:
		return (modrm >> 4 & 3) == 1 ? FLOW_CALL : (modrm >> 4 & 3) == 2 ? FLOW_JUMP : FLOW_ON;
	default:
		return FLOW_ON;
	}
}

static enum instruction_flow flow_of(const struct decoder *d, uint8_t modrm)
{
	if (d->is_vector)
		return FLOW_ON;
	if (d->map == MAP_ONE)
		return flow_of_one(d, modrm);
	if (d->map != MAP_TWO)
		return FLOW_ON;
	if ((d->opcode & 0xf0) == 0x80)
		return FLOW_JCC;
	return d->opcode == 0x0b ? FLOW_STOP : FLOW_ON;
}

int instruction_decode(const uint8_t *code, size_t len, struct instruction *ret)
{
	struct decoder d = {.code = code, .len = len};
	struct instruction in = {0};
	uint8_t modrm = 0;

	if (!take_opcode(&d))
		return -EBADMSG;
	if (d.what & M && (!take_modrm(&d, &in, &modrm) || !extend(&d, modrm)))
		return -EBADMSG;
	if (!take_immediate(&d, &in))
		return -EBADMSG;
	in.size = (uint8_t)d.at;
	in.flow = flow_of(&d, modrm);
	in.condition = d.opcode & 15;
	in.is_nop = !d.is_vector &&
		    ((d.map == MAP_ONE && d.opcode == 0x90 && !d.rex_b) || (d.map == MAP_TWO && d.opcode == 0x1f));
	in.is_short_address = d.has_67;
	*ret = in;
	return 0;
}
