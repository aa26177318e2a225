#include "symbols/dispatch.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "symbols/cpython.h"
#include "symbols/elf_image.h"
#include "symbols/opcodes.h"

#define TABLE_ENTRIES 256
/* The largest data segment of a real build is 6 MB. */
#define SEGMENT_MAX ((uint64_t)64 << 20)

struct search {
	const struct elf_image *image;
	const struct opcodes *opcodes;
	uint8_t unused[TABLE_ENTRIES]; /* opcode numbers */
	size_t n_unused;
	struct dispatch *found;
	unsigned int n_found;
};

static int refuse(const char **reason, const char *why)
{
	*reason = why;
	return -ENOTSUP;
}

/* ---- the table ---- */

static bool is_code(const struct search *search, uint64_t vaddr)
{
	return vaddr && elf_image_code_segment(search->image, vaddr);
}

static bool is_table(const struct search *search, const uint64_t *entries)
{
	uint64_t unknown = entries[search->unused[0]];

	/* Cheapest and most telling first: nearly every place fails here. */
	for (size_t i = 1; i < search->n_unused; i++) {
		if (entries[search->unused[i]] != unknown)
			return false;
	}
	if (!is_code(search, unknown))
		return false;
	for (unsigned int op = 0; op < TABLE_ENTRIES; op++) {
		if (opcodes_is_used(search->opcodes, (uint8_t)op) &&
		    (entries[op] == unknown || !is_code(search, entries[op])))
			return false;
	}
	return true;
}

static void search_pointers(struct search *search, uint64_t vaddr, const uint64_t *pointers, size_t n)
{
	for (size_t i = 0; i + TABLE_ENTRIES <= n; i++) {
		if (!is_table(search, pointers + i))
			continue;
		log_debug("opcode_targets at 0x%llx", (unsigned long long)(vaddr + i * 8));
		if (search->n_found++ > 0)
			continue;
		search->found->table = vaddr + i * 8;
		search->found->unknown = pointers[i + search->unused[0]];
		memcpy(search->found->targets, pointers + i, sizeof(search->found->targets));
	}
}

/* Read-only data of a program at a fixed address is as it stands in the file: no copy. */
static int search_unrelocated(struct search *search, uint64_t vaddr, size_t n)
{
	const uint64_t *pointers = elf_image_at(search->image, vaddr, n * sizeof(*pointers));

	if (pointers)
		search_pointers(search, vaddr, pointers, n);
	return 0;
}

static int search_relocated(struct search *search, uint64_t vaddr, size_t n)
{
	_cleanup_free_ uint64_t *pointers = malloc(n * sizeof(*pointers));

	if (!pointers)
		return -ENOMEM;
	/* A segment that the file lacks holds no table. */
	if (elf_image_read_pointers(search->image, vaddr, pointers, n) == 0)
		search_pointers(search, vaddr, pointers, n);
	return 0;
}

static int search_segment(struct search *search, const struct elf_segment *segment)
{
	uint64_t vaddr = (segment->vaddr + 7) & ~(uint64_t)7, skip = vaddr - segment->vaddr;
	bool is_fixed = search->image->kind == ELF_IMAGE_EXEC;
	size_t n;

	if (segment->filesz < skip + sizeof(search->found->targets) || segment->filesz > SEGMENT_MAX)
		return 0;
	n = (segment->filesz - skip) / sizeof(uint64_t);
	if (segment->flags & PF_W)
		return search_relocated(search, vaddr, n);
	/* What needs relocation is in a writable segment (.data.rel.ro). */
	return is_fixed ? search_unrelocated(search, vaddr, n) : 0;
}

static int search_segments(struct search *search, bool executable)
{
	int r;

	for (size_t i = 0; i < search->image->n_segments; i++) {
		const struct elf_segment *segment = &search->image->segments[i];

		if (!!(segment->flags & PF_X) != executable)
			continue;
		r = search_segment(search, segment);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Linked with -z noseparate-code, read-only data shares a segment with the code. */
static int find_table(struct search *search)
{
	int r = search_segments(search, false);

	return r == 0 && search->n_found == 0 ? search_segments(search, true) : r;
}

static void note_unused(struct search *search)
{
	for (unsigned int op = 0; op < TABLE_ENTRIES; op++) {
		if (!opcodes_is_used(search->opcodes, (uint8_t)op))
			search->unused[search->n_unused++] = (uint8_t)op;
	}
}

/* ---- the switch ---- */

/**
 * Decode `cmp $max,%REG`, 32 or 8 bits wide, that ends at @p end, no earlier than @p start. Its
 * length, or 0. A REX prefix that only extends the register is part of it.
 */
static size_t decode_cmp(const uint8_t *start, const uint8_t *end, uint8_t max, uint8_t *ret)
{
	const uint8_t imm32[] = {max, 0, 0, 0};
	size_t have = (size_t)(end - start), wide, len;

	if (have < 8)
		return 0;
	wide = memcmp(end - 4, imm32, 4) == 0 ? 4 : end[-1] == max ? 1 : 0;
	if (wide == 4 && end[-5] == 0x3d) { /* cmp $imm32,%eax */
		*ret = 0;
		return 5;
	}
	if (wide == 1 && end[-2] == 0x3c) { /* cmp $imm8,%al */
		*ret = 0;
		return 2;
	}
	if (wide == 0 || end[-(int)wide - 2] != (wide == 4 ? 0x81 : 0x80) || (end[-(int)wide - 1] & 0xf8) != 0xf8)
		return 0;
	*ret = end[-(int)wide - 1] & 7;
	len = wide + 2;
	if (end[-(int)len - 1] == 0x41) {
		*ret |= 8;
		return len + 1;
	}
	/* Without a prefix, the upper four of the byte registers are ah to bh. */
	return wide == 1 && *ret >= 4 ? 0 : len;
}

struct switch_search {
	uint64_t vaddr; /* of code */
	const uint8_t *code, *end;
	uint64_t unknown;
	uint8_t max;
	unsigned int n_jumps, n_heads;
	struct dispatch *found;
};

static void note_head(struct switch_search *search, const uint8_t *ja)
{
	uint8_t reg;
	size_t len = decode_cmp(search->code, ja, search->max, &reg);

	if (len == 0)
		return;
	search->n_heads++;
	search->found->switch_head = search->vaddr + (uint64_t)(ja - search->code) - len;
	search->found->switch_register = reg;
}

static uint64_t address_of(const struct switch_search *search, const uint8_t *p)
{
	return search->vaddr + (uint64_t)(p - search->code);
}

static void search_long_jumps(struct switch_search *search)
{
	const uint8_t *p = search->code;
	int32_t distance;

	while (search->end - p >= 6 && (p = memchr(p, 0x0f, (size_t)(search->end - p - 5)))) {
		memcpy(&distance, p + 2, sizeof(distance));
		if (p[1] == 0x87 && address_of(search, p + 6) + (uint64_t)(int64_t)distance == search->unknown) {
			search->n_jumps++;
			note_head(search, p);
		}
		p++;
	}
}

/* Two bytes can look like a short jump by chance, so only those after the cmp count. */
static void search_short_jumps(struct switch_search *search)
{
	uint64_t at = search->unknown - search->vaddr;
	uint64_t size = (uint64_t)(search->end - search->code);

	for (uint64_t i = at < 129 ? 0 : at - 129; i + 2 <= size && i < at + 127; i++) {
		unsigned int before = search->n_heads;

		if (search->code[i] != 0x77 || i + 2 + (uint64_t)(int64_t)(int8_t)search->code[i + 1] != at)
			continue;
		note_head(search, search->code + i);
		search->n_jumps += search->n_heads - before;
	}
}

/* The hot and the cold part of the loop may be in different sections, but share the segment. */
static int find_switch(const struct elf_image *image, uint8_t max, struct dispatch *found, const char **reason)
{
	const struct elf_segment *segment = elf_image_code_segment(image, found->unknown);
	struct switch_search search = {
		.unknown = found->unknown,
		.max = max,
		.found = found,
	};

	search.code = segment ? elf_image_at(image, segment->vaddr, segment->filesz) : NULL;
	if (!search.code)
		return refuse(reason, "the interpreter loop of this Python is not to be read");
	search.vaddr = segment->vaddr;
	search.end = search.code + segment->filesz;
	search_long_jumps(&search);
	search_short_jumps(&search);
	if (search.n_heads == 1 && search.n_jumps == 1)
		return 0;
	log_debug("%u switch heads, %u jumps to the unknown opcode", search.n_heads, search.n_jumps);
	return refuse(reason, "the interpreter loop of this Python has no switch of a known form");
}

/* ---- both ---- */

int dispatch_find(const struct elf_image *image, const struct cpython *python, struct dispatch *ret,
		  const char **reason)
{
	struct dispatch found = {0};
	struct search search = {
		.image = image,
		.opcodes = opcodes_find(&python->layout),
		.found = &found,
	};
	const char *function_name = "_PyEval_EvalFrameDefault";
	int r;

	if (!search.opcodes)
		return -EINVAL;
	if (cpython_resolve(image, &function_name, 1, &found.function) != 1)
		return refuse(reason, "this Python does not export its interpreter loop");
	note_unused(&search);
	r = find_table(&search);
	if (r < 0)
		return r;
	if (search.n_found == 0)
		return refuse(reason, "the interpreter loop of this Python has no computed gotos");
	if (search.n_found > 1)
		return refuse(reason, "this Python has several interpreter loops");
	if (search.opcodes->switch_max) {
		r = find_switch(image, search.opcodes->switch_max, &found, reason);
		if (r < 0)
			return r;
	}
	*ret = found;
	return 0;
}

uint64_t dispatch_label_before(const struct dispatch *dispatch, uint64_t vaddr)
{
	uint64_t best = dispatch->function <= vaddr ? dispatch->function : 0;

	for (size_t i = 0; i < ARRAY_SIZE(dispatch->targets); i++) {
		if (dispatch->targets[i] <= vaddr && dispatch->targets[i] > best)
			best = dispatch->targets[i];
	}
	return best;
}
