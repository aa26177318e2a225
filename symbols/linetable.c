#include "symbols/linetable.h"

#include <errno.h>

#define CODE_UNIT 2
/* 32 bits of six each. */
#define VARINT_BYTES_MAX 6

/* Kinds of entries in a location table: Include/cpython/code.h, _PyCodeLocationInfoKind. */
enum location {
	LOCATION_SHORT_MAX = 9,
	LOCATION_ONE_LINE0 = 10,
	LOCATION_ONE_LINE2 = 12,
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

void linetable_init(struct linetable *table, enum layout_linetable kind, const void *bytes, size_t len,
		    int32_t first_line, uint32_t code_size)
{
	*table = (struct linetable){
		.kind = kind,
		.next = bytes,
		.limit = (const uint8_t *)bytes + len,
		.code_size = code_size,
		.line = first_line,
	};
}

static size_t left(const struct linetable *table)
{
	return (size_t)(table->limit - table->next);
}

static int move_line(struct linetable *table, int64_t delta)
{
	table->line += delta;
	return table->line < INT32_MIN || table->line > INT32_MAX ? -EBADMSG : 0;
}

/** Make the range of @p size bytes that begins where the last one ended; 0 if it is empty. */
static int make_range(struct linetable *table, uint32_t size, int64_t line, struct linetable_range *ret)
{
	if (size > table->code_size - table->address)
		return -EBADMSG;
	*ret = (struct linetable_range){
		.start = table->address,
		.end = table->address + size,
		/* CPython means "none" by any negative number. */
		.line = line < 0 ? LINETABLE_NO_LINE : (int32_t)line,
	};
	table->address += size;
	return size > 0;
}

/* ---- 3.8, 3.9 ---- */

/*
 * The optimizer of these versions leaves entries behind the end of the bytecode, so that is where
 * the table ends. The last range needs no entry.
 */
static int next_lnotab(struct linetable *table, struct linetable_range *ret)
{
	uint32_t room = table->code_size - table->address;
	int r;

	if (room == 0)
		return 0;
	while (left(table) >= 2) {
		uint8_t size = table->next[0];
		int64_t line = table->line;

		r = move_line(table, (int8_t)table->next[1]);
		if (r < 0)
			return r;
		table->next += 2;
		if (size)
			return make_range(table, size < room ? size : room, line, ret);
	}
	return left(table) ? -EBADMSG : make_range(table, room, table->line, ret);
}

/* ---- 3.10 ---- */

static int next_delta(struct linetable *table, struct linetable_range *ret)
{
	int r;

	while (left(table) >= 2) {
		uint8_t size = table->next[0];
		int8_t delta = (int8_t)table->next[1];
		bool has_line = delta != INT8_MIN;

		table->next += 2;
		r = has_line ? move_line(table, delta) : 0;
		if (r < 0)
			return r;
		if (size)
			return make_range(table, size, has_line ? table->line : LINETABLE_NO_LINE, ret);
	}
	return left(table) ? -EBADMSG : 0;
}

/* ---- 3.11 and later ---- */

/** Consume a byte that continues an entry: bit 7 is that of a first byte. */
static int next_byte(struct linetable *table, uint8_t *ret)
{
	if (left(table) == 0 || *table->next & 0x80)
		return -EBADMSG;
	*ret = *table->next++;
	return 0;
}

static int next_varint(struct linetable *table, uint64_t *ret)
{
	uint8_t byte;
	int r;

	*ret = 0;
	for (unsigned int i = 0; i < VARINT_BYTES_MAX; i++) {
		r = next_byte(table, &byte);
		if (r < 0)
			return r;
		*ret |= (uint64_t)(byte & 0x3f) << (6 * i);
		if (!(byte & 0x40))
			return 0;
	}
	return -EBADMSG;
}

static int move_line_by_varint(struct linetable *table)
{
	uint64_t value;
	int r = next_varint(table, &value);

	if (r < 0)
		return r;
	return move_line(table, value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1));
}

static int skip_bytes(struct linetable *table, unsigned int n)
{
	if (left(table) < n)
		return -EBADMSG;
	for (unsigned int i = 0; i < n; i++)
		if (table->next[i] & 0x80)
			return -EBADMSG;
	table->next += n;
	return 0;
}

static int skip_varints(struct linetable *table, unsigned int n)
{
	uint64_t value;
	int r = 0;

	while (n-- > 0 && r == 0)
		r = next_varint(table, &value);
	return r;
}

/** Take the line from an entry of @p kind whose first byte is consumed, and pass its columns. */
static int decode_location(struct linetable *table, unsigned int kind)
{
	int r;

	if (kind <= LOCATION_SHORT_MAX)
		return skip_bytes(table, 1);
	if (kind <= LOCATION_ONE_LINE2) {
		r = move_line(table, kind - LOCATION_ONE_LINE0);
		return r < 0 ? r : skip_bytes(table, 2);
	}
	if (kind == LOCATION_NONE)
		return 0;
	r = move_line_by_varint(table);
	if (r < 0 || kind == LOCATION_NO_COLUMNS)
		return r;
	return skip_varints(table, 3);
}

static int next_location(struct linetable *table, struct linetable_range *ret)
{
	unsigned int kind;
	uint32_t size;
	uint8_t first;
	int r;

	if (left(table) == 0)
		return 0;
	first = *table->next++;
	if (!(first & 0x80))
		return -EBADMSG;
	kind = first >> 3 & 0xf;
	size = ((first & 7u) + 1) * CODE_UNIT;
	r = decode_location(table, kind);
	if (r < 0)
		return r;
	return make_range(table, size, kind == LOCATION_NONE ? LINETABLE_NO_LINE : table->line, ret);
}

/* ---- all ---- */

static int next_range(struct linetable *table, struct linetable_range *ret)
{
	switch (table->kind) {
	case LAYOUT_LINETABLE_LNOTAB:
		return next_lnotab(table, ret);
	case LAYOUT_LINETABLE_DELTAS:
		return next_delta(table, ret);
	case LAYOUT_LINETABLE_LOCATIONS:
		return next_location(table, ret);
	}
	return -EBADMSG;
}

int linetable_next(struct linetable *table, struct linetable_range *ret)
{
	int r = table->error;

	if (r == 0)
		r = next_range(table, ret);
	if (r < 0)
		table->error = r;
	return r;
}

int linetable_each_line(enum layout_linetable kind, const void *bytes, size_t len, int32_t first_line,
			linetable_line_fn *fn, void *arg)
{
	struct linetable_range range;
	struct linetable table;
	int32_t last = 0;
	int r;

	/* coverage.py takes no notice of where the bytecode ends. */
	linetable_init(&table, kind, bytes, len, first_line, UINT32_MAX);
	while ((r = linetable_next(&table, &range)) > 0) {
		if (range.line > 0 && range.line != last)
			fn(arg, range.line);
		last = range.line;
	}
	return r;
}
