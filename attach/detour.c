#include "attach/detour.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "attach/instruction.h"

#define ENDBR64_SIZE 4
#define ABSOLUTE_JUMP_SIZE 14
/* Farther than the longest instruction and the longest short branch together. */
#define SHORT_BRANCH_REACH 160

/** An instruction, and where it is. */
struct placed {
	struct instruction in;
	const uint8_t *bytes;
	uint64_t addr;
	uint64_t target; /* of its relative operand */
};

/* ---- decoding ---- */

static const uint8_t endbr64[ENDBR64_SIZE] = {0xf3, 0x0f, 0x1e, 0xfa};

static bool decode(const uint8_t *code, size_t len, uint64_t addr, struct placed *ret)
{
	if (instruction_decode(code, len, &ret->in) < 0)
		return false;
	ret->bytes = code;
	ret->addr = addr;
	ret->target = addr + ret->in.size + (uint64_t)(int64_t)ret->in.relative;
	return true;
}

/** Nothing behind it runs, unless something jumps there. */
static bool is_end(const struct placed *p)
{
	return p->in.flow == FLOW_JUMP || p->in.flow == FLOW_RETURN || p->in.flow == FLOW_STOP;
}

static bool is_padding(const struct placed *p)
{
	return p->in.is_nop || p->in.flow == FLOW_INT3;
}

/* ---- encoding ---- */

struct writer {
	struct detour *detour;
	size_t size;
};

static void put(struct writer *writer, const void *bytes, size_t len)
{
	memcpy(writer->detour->bytes + writer->size, bytes, len);
	writer->size += len;
}

static void put_byte(struct writer *writer, uint8_t byte)
{
	put(writer, &byte, 1);
}

static uint64_t here(const struct writer *writer)
{
	return writer->detour->copy + writer->size;
}

static bool distance(uint64_t from, uint64_t to, int32_t *ret)
{
	int64_t d = (int64_t)(to - from);

	*ret = (int32_t)d;
	return d == *ret;
}

/** `jmp to`: five bytes if it reaches, else through an address behind it. */
static void put_jump(struct writer *writer, uint64_t to)
{
	static const uint8_t through_next[] = {0xff, 0x25, 0, 0, 0, 0};
	uint8_t jump[DETOUR_JUMP_SIZE];

	if (detour_encode_jump(here(writer), to, jump) == 0) {
		put(writer, jump, sizeof(jump));
		return;
	}
	put(writer, through_next, sizeof(through_next));
	put(writer, &to, sizeof(to));
}

static void put_call(struct writer *writer, uint64_t to)
{
	/* call *2(%rip); jmp over the address */
	static const uint8_t through_next[] = {0xff, 0x15, 2, 0, 0, 0, 0xeb, 8};
	int32_t d;

	if (distance(here(writer) + 5, to, &d)) {
		put_byte(writer, 0xe8);
		put(writer, &d, sizeof(d));
		return;
	}
	put(writer, through_next, sizeof(through_next));
	put(writer, &to, sizeof(to));
}

static void put_jcc(struct writer *writer, uint8_t condition, uint64_t to)
{
	int32_t d;

	if (distance(here(writer) + 6, to, &d)) {
		put_byte(writer, 0x0f);
		put_byte(writer, 0x80 | condition);
		put(writer, &d, sizeof(d));
		return;
	}
	put_byte(writer, 0x70 | (condition ^ 1));
	put_byte(writer, ABSOLUTE_JUMP_SIZE);
	put_jump(writer, to);
}

static int put_branch(struct writer *writer, const struct placed *p)
{
	const struct detour *detour = writer->detour;

	/* Into what will not be there any more; and `call` to what follows, which reads its pc. */
	if (p->target - detour->patch < detour->covered || p->target == p->addr + p->in.size)
		return -ENOTSUP;
	if (p->in.flow == FLOW_JUMP)
		put_jump(writer, p->target);
	else if (p->in.flow == FLOW_CALL)
		put_call(writer, p->target);
	else if (p->in.flow == FLOW_JCC)
		put_jcc(writer, p->in.condition, p->target);
	else
		return -ENOTSUP;
	return 0;
}

static int put_rip_relative(struct writer *writer, const struct placed *p)
{
	uint8_t bytes[INSTRUCTION_SIZE_MAX];
	size_t len = p->in.size;
	int32_t d;

	if (p->in.is_short_address)
		return -ENOTSUP;
	if (!distance(here(writer) + len, p->target, &d))
		return -ERANGE;
	memcpy(bytes, p->bytes, len);
	memcpy(bytes + p->in.relative_at, &d, sizeof(d));
	put(writer, bytes, len);
	return 0;
}

static int put_moved(struct writer *writer, const struct placed *p)
{
	if (p->in.flow == FLOW_INT3)
		return -ENOTSUP;
	if (p->in.is_branch)
		return put_branch(writer, p);
	if (p->in.relative_at)
		return put_rip_relative(writer, p);
	put(writer, p->bytes, p->in.size);
	return 0;
}

/* ---- planning ---- */

/* Behind the end of the code only what aligns the next function may be overwritten. */
static int measure_padding(const uint8_t *code, size_t len, size_t covered)
{
	struct placed p;

	while (covered < DETOUR_JUMP_SIZE) {
		if (!decode(code + covered, len - covered, 0, &p) || !is_padding(&p))
			return -ENOTSUP;
		covered += p.in.size;
	}
	return (int)covered;
}

/** How many bytes of whole instructions the jump overwrites. */
static int measure(const uint8_t *code, size_t len)
{
	struct placed p;
	size_t covered = 0;

	while (covered < DETOUR_JUMP_SIZE) {
		if (!decode(code + covered, len - covered, 0, &p))
			return -EBADMSG;
		covered += p.in.size;
		if (is_end(&p))
			return measure_padding(code, len, covered);
		/* A thread may be in the call, and would return to the middle of the jump. */
		if (p.in.flow == FLOW_CALL && covered < DETOUR_JUMP_SIZE)
			return -ENOTSUP;
	}
	return (int)covered;
}

static void note_instruction(struct writer *writer, size_t offset)
{
	struct detour *detour = writer->detour;

	detour->from[detour->n_instructions] = (uint8_t)offset;
	detour->to[detour->n_instructions] = (uint8_t)writer->size;
	detour->n_instructions++;
}

static int move_instructions(struct writer *writer, const uint8_t *code)
{
	struct detour *detour = writer->detour;
	struct placed p;
	int r;

	for (size_t offset = 0; offset < detour->covered; offset += p.in.size) {
		if (!decode(code + offset, detour->covered - offset, detour->patch + offset, &p))
			return -EBADMSG;
		note_instruction(writer, offset);
		r = put_moved(writer, &p);
		if (r < 0)
			return r;
		if (is_end(&p))
			return 0;
	}
	put_jump(writer, detour->patch + detour->covered);
	return 0;
}

int detour_plan(const uint8_t *code, size_t len, uint64_t addr, uint64_t copy, struct detour *ret)
{
	struct detour detour = {.patch = addr, .copy = copy};
	struct writer writer = {.detour = &detour};
	int r;

	/* It stays in place, for those who come through a pointer. */
	if (len > ENDBR64_SIZE && memcmp(code, endbr64, ENDBR64_SIZE) == 0) {
		detour.patch += ENDBR64_SIZE;
		code += ENDBR64_SIZE;
		len -= ENDBR64_SIZE;
	}
	r = measure(code, len);
	if (r < 0)
		return r;
	detour.covered = (uint8_t)r;
	r = move_instructions(&writer, code);
	if (r < 0)
		return r;
	detour.copy_size = (uint8_t)writer.size;
	memcpy(detour.original, code, detour.covered);
	*ret = detour;
	return 0;
}

int detour_encode_jump(uint64_t from, uint64_t to, uint8_t ret[DETOUR_JUMP_SIZE])
{
	int32_t d;

	if (!distance(from + DETOUR_JUMP_SIZE, to, &d))
		return -ERANGE;
	ret[0] = 0xe9;
	memcpy(ret + 1, &d, sizeof(d));
	return 0;
}

uint64_t detour_translate(const struct detour *detour, uint64_t pc)
{
	for (unsigned int i = 1; i < detour->n_instructions; i++) {
		if (pc == detour->patch + detour->from[i])
			return detour->copy + detour->to[i];
	}
	return pc;
}

uint64_t detour_translate_back(const struct detour *detour, uint64_t pc)
{
	for (unsigned int i = 0; i < detour->n_instructions; i++) {
		if (pc == detour->copy + detour->to[i])
			return detour->patch + detour->from[i];
	}
	return pc;
}

/* ---- what jumps into it ---- */

/** True for addresses behind the start of the covered bytes, where no branch may lead. */
static bool is_inside(const struct detour *detour, uint64_t addr)
{
	return addr - detour->patch - 1 < detour->covered - 1u;
}

/*
 * Branches with 32 bits may come from anywhere in the segment. A look at every byte finds them all,
 * and by chance something that is none once in some 10,000 segments.
 */
static bool has_long_landing(const struct detour *detour, const uint8_t *code, size_t len, uint64_t addr)
{
	int32_t d;

	for (size_t i = 2; i + sizeof(d) <= len; i++) {
		memcpy(&d, code + i, sizeof(d));
		if (!is_inside(detour, addr + i + sizeof(d) + (uint64_t)(int64_t)d))
			continue;
		if (code[i - 1] == 0xe8 || code[i - 1] == 0xe9 || (code[i - 2] == 0x0f && (code[i - 1] & 0xf0) == 0x80))
			return true;
	}
	return false;
}

/** The last label that is far enough before the detour, or else the first one, or else itself. */
static uint64_t sweep_start(const struct detour *detour, const uint64_t *labels, size_t n, uint64_t addr)
{
	uint64_t first = detour->patch, best = 0;

	for (size_t i = 0; i < n; i++) {
		if (labels[i] < addr || labels[i] > detour->patch)
			continue;
		if (labels[i] < first)
			first = labels[i];
		if (labels[i] > best && detour->patch - labels[i] >= SHORT_BRANCH_REACH)
			best = labels[i];
	}
	return best ? best : first;
}

/* Short branches are near; bytes look like one too often, so they are decoded from a label on. */
static bool has_short_landing(const struct detour *detour, const uint8_t *code, size_t len, uint64_t addr,
			      uint64_t start)
{
	uint64_t end = detour->patch + detour->covered + SHORT_BRANCH_REACH;
	struct placed p;

	for (uint64_t pc = start; pc < end && pc - addr < len;) {
		if (!decode(code + (pc - addr), len - (pc - addr), pc, &p)) {
			pc++;
			continue;
		}
		if (p.in.is_branch && is_inside(detour, p.target))
			return true;
		pc += p.in.size;
	}
	return false;
}

int detour_check_landings(const struct detour *detour, const uint8_t *code, size_t len, uint64_t addr,
			  const uint64_t *labels, size_t n)
{
	uint64_t start = sweep_start(detour, labels, n, addr);

	for (size_t i = 0; i < n; i++) {
		if (is_inside(detour, labels[i]))
			return -ENOTSUP;
	}
	if (has_long_landing(detour, code, len, addr) || has_short_landing(detour, code, len, addr, start))
		return -ENOTSUP;
	return 0;
}

int detour_check_boundary(const uint8_t *code, size_t len, uint64_t addr, uint64_t start, uint64_t target)
{
	struct placed p;
	uint64_t pc = start;

	if (start < addr || target < start || target - addr >= len)
		return -ENOENT;
	while (pc < target) {
		if (!decode(code + (pc - addr), len - (pc - addr), pc, &p))
			return -ENOENT;
		pc += p.in.size;
	}
	return pc == target ? 0 : -ENOENT;
}
