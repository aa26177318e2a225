/*
 * Which instructions belong to which line. Hits come in clusters: the decoded line tables of the small code objects
 * that were met last are kept in a cache. A large one gets an index at its first hit, or a function of 100,000 lines
 * would take a minute.
 */
#include "traps.h"

#define SMALL 64 /* runs */
#define SLOTS 64 /* of the cache: 50 KiB */

struct decoded {
	const struct trap_record *owner;
	uint32_t count;
	struct line_run runs[SMALL + 1];
};

struct index_run {
	uint32_t start;
	int32_t line;
	uint32_t next; /* run of the same line, in a ring */
};

struct line_index {
	size_t size;
	uint32_t count;
	struct index_run runs[];
};

static bool emit(struct line_cursor *c, struct line_run *run, uint32_t units, int32_t line)
{
	run->start = c->at;
	run->end = units < c->units - c->at ? c->at + units : c->units;
	run->line = line;
	c->at = run->end;
	return true;
}

/* 3.8, 3.9: pairs of bytes and signed lines; a line holds until the address moves, the last to the end. */
static bool next_lnotab(struct line_cursor *c, struct line_run *run)
{
	int32_t line = c->line;
	uint32_t bytes = 0;

	while (c->p + 1 < c->limit) {
		int8_t delta = (int8_t)c->p[1];

		bytes += c->p[0]; /* 255, an odd number, where a line is longer */
		c->line += delta;
		c->p += 2;
		if (bytes && delta)
			return emit(c, run, bytes / 2, line);
		if (!bytes)
			line = c->line;
	}
	return emit(c, run, c->units, line);
}

/* 3.10, PEP 626: the line moves, then holds for a number of bytes; -128 is none. */
static bool next_deltas(struct line_cursor *c, struct line_run *run)
{
	while (c->p + 1 < c->limit) {
		uint32_t bytes = c->p[0];
		int8_t delta = (int8_t)c->p[1];

		c->p += 2;
		if (delta != -128)
			c->line += delta;
		if (bytes)
			return emit(c, run, bytes / 2, delta == -128 ? 0 : c->line);
	}
	return false;
}

static int32_t signed_varint(const uint8_t *p, const uint8_t *limit)
{
	uint32_t value = 0, shift = 0;

	while (p < limit && shift < 32) {
		value |= (uint32_t)(*p & 63) << shift;
		shift += 6;
		if (!(*p++ & 64))
			break;
	}
	return value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

/* 3.11, PEP 657: the first byte of an entry has its top bit set, the others have not. */
static bool next_locations(struct line_cursor *c, struct line_run *run)
{
	unsigned int code, units;

	if (c->p >= c->limit)
		return false;
	code = *c->p >> 3 & 15;
	units = (*c->p++ & 7u) + 1;
	if (code >= 10 && code <= 12)
		c->line += (int32_t)code - 10;
	else if (code == 13 || code == 14)
		c->line += signed_varint(c->p, c->limit);
	if (code < 13) /* columns of known length: most entries are such */
		c->p += code < 10 ? 1 : 2;
	while (c->p < c->limit && !(*c->p & 128))
		c->p++;
	return emit(c, run, units, code == 15 ? 0 : c->line);
}

bool line_cursor_next_entry(struct line_cursor *c, struct line_run *run)
{
	if (c->at >= c->units)
		return false;
	if (c->kind == LINETABLE_LNOTAB)
		return next_lnotab(c, run);
	if (c->kind == LINETABLE_DELTAS)
		return next_deltas(c, run);
	return next_locations(c, run);
}

void line_cursor_init(struct line_cursor *c, const struct trap_record *r)
{
	const struct agent_layout *l = &agent_data.layout;
	const PyObject *table = load_ptr(r->code, l->code_linetable);

	c->p = (const uint8_t *)table + l->bytes_data;
	c->limit = c->p + load64(table, l->bytes_size);
	c->at = 0;
	c->units = r->units;
	c->line = load32(r->code, l->code_firstlineno);
	c->kind = l->linetable_kind;
	c->ahead.start = c->ahead.end = 0;
}

bool line_cursor_next(struct line_cursor *c, struct line_run *run)
{
	if (c->ahead.start == c->ahead.end && !line_cursor_next_entry(c, &c->ahead))
		return false;
	*run = c->ahead;
	while (line_cursor_next_entry(c, &c->ahead)) {
		if (c->ahead.line != run->line)
			return true;
		run->end = c->ahead.end;
	}
	c->ahead.start = c->ahead.end;
	return true;
}

/* ------------------------------------------------------------------------------------------------------ index */

static uint32_t count_runs(const struct trap_record *r)
{
	struct line_cursor c;
	struct line_run run;
	uint32_t n = 0;

	for (line_cursor_init(&c, r); line_cursor_next(&c, &run);)
		n++;
	return n;
}

/* Close the runs of each line to a ring; @table has @size places, a power of two, and starts zeroed. */
static void link_runs(struct line_index *x, uint32_t *table, uint32_t size)
{
	for (uint32_t i = 0; i < x->count; i++) {
		struct index_run *run = &x->runs[i], *old;
		uint32_t at = (uint32_t)run->line * 2654435761u & (size - 1);

		while (table[at] && x->runs[table[at] - 1].line != run->line)
			at = (at + 1) & (size - 1);
		if (table[at]) {
			old = &x->runs[table[at] - 1];
			run->next = old->next;
			old->next = i;
		} else {
			run->next = i;
			table[at] = i + 1;
		}
	}
}

static struct line_index *index_build(const struct trap_record *r)
{
	uint32_t n = count_runs(r), size = 64;
	size_t bytes = sizeof(struct line_index) + n * sizeof(struct index_run);
	struct line_index *x = block_alloc(bytes);
	struct line_cursor c;
	struct line_run run;
	uint32_t *table;

	while (size < 2 * n)
		size *= 2;
	table = block_alloc(size * sizeof(*table));
	if (!x || !table) {
		block_free(x, bytes);
		block_free(table, size * sizeof(*table));
		return NULL;
	}
	x->size = bytes;
	x->count = 0;
	for (line_cursor_init(&c, r); line_cursor_next(&c, &run);)
		x->runs[x->count++] = (struct index_run){run.start, run.line, 0};
	memset(table, 0, size * sizeof(*table));
	link_runs(x, table, size);
	block_free(table, size * sizeof(*table));
	return x;
}

static uint32_t index_find(const struct line_index *x, uint32_t unit)
{
	uint32_t low = 0, high = x->count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (x->runs[middle].start <= unit)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int32_t for_line_indexed(const struct trap_record *r, uint32_t unit,
				void (*f)(const struct trap_record *r, const struct line_run *run))
{
	const struct line_index *x = r->index;
	uint32_t first, i;

	if (!x->count)
		return 0;
	i = first = index_find(x, unit);
	if (x->runs[first].line <= 0)
		return 0;
	do {
		uint32_t end = i + 1 < x->count ? x->runs[i + 1].start : r->units;

		f(r, &(struct line_run){x->runs[i].start, end, x->runs[i].line});
		i = x->runs[i].next;
	} while (i != first);
	return x->runs[first].line;
}

/* The other way, without memory: decode the table twice. */
static int32_t for_line_decoded(const struct trap_record *r, uint32_t unit,
				void (*f)(const struct trap_record *r, const struct line_run *run))
{
	struct line_cursor c;
	struct line_run run;
	int32_t line = 0;

	for (line_cursor_init(&c, r); line_cursor_next(&c, &run);)
		if (unit >= run.start && unit < run.end)
			line = run.line;
	if (line <= 0)
		return 0;
	for (line_cursor_init(&c, r); line_cursor_next(&c, &run);)
		if (run.line == line)
			f(r, &run);
	return line;
}

/* ------------------------------------------------------------------------------------------------------ cache */

static struct decoded *slot_of(const struct trap_record *r)
{
	struct trap_state *s = trap_state();

	if (!s->decoded) {
		s->decoded = block_alloc(SLOTS * sizeof(*s->decoded));
		if (!s->decoded)
			return NULL;
		for (uint32_t i = 0; i < SLOTS; i++)
			s->decoded[i].owner = NULL;
	}
	return &s->decoded[(uint64_t)r / 64 % SLOTS];
}

/* The runs of @r; NULL if there are too many, or no memory. */
static const struct decoded *decode(const struct trap_record *r)
{
	struct decoded *d = slot_of(r);
	struct line_cursor c;

	if (!d || d->owner == r)
		return d;
	d->owner = NULL;
	d->count = 0;
	for (line_cursor_init(&c, r); line_cursor_next(&c, &d->runs[d->count]); d->count++)
		if (d->count == SMALL)
			return NULL;
	d->owner = r;
	return d;
}

uint32_t record_run_start(const struct trap_record *r, uint32_t unit)
{
	const struct decoded *d;
	struct line_cursor c;
	struct line_run run = {0};
	uint32_t i = 0;

	if (r->index && r->index->count)
		return r->index->runs[index_find(r->index, unit)].start;
	d = r->index ? NULL : decode(r);
	if (d && d->count) {
		while (i + 1 < d->count && d->runs[i].end <= unit)
			i++;
		return d->runs[i].start;
	}
	for (line_cursor_init(&c, r); line_cursor_next(&c, &run) && run.end <= unit;)
		;
	return run.start;
}

static int32_t for_line_cached(const struct trap_record *r, const struct decoded *d, uint32_t unit,
			       void (*f)(const struct trap_record *r, const struct line_run *run))
{
	uint32_t i;
	int32_t line;

	for (i = 0; i < d->count && d->runs[i].end <= unit; i++)
		;
	if (i == d->count || d->runs[i].line <= 0)
		return 0;
	line = d->runs[i].line;
	for (i = 0; i < d->count; i++)
		if (d->runs[i].line == line)
			f(r, &d->runs[i]);
	return line;
}

void record_forget_lines(struct trap_record *r)
{
	struct decoded *d = trap_state()->decoded ? slot_of(r) : NULL;

	if (d && d->owner == r)
		d->owner = NULL;
	if (r->index)
		block_free(r->index, r->index->size);
	r->index = NULL;
}

int32_t record_for_line(struct trap_record *r, uint32_t unit,
			void (*f)(const struct trap_record *r, const struct line_run *run))
{
	const struct decoded *d;

	if (r->index)
		return for_line_indexed(r, unit, f);
	d = decode(r);
	if (d)
		return for_line_cached(r, d, unit, f);
	r->index = index_build(r);
	return r->index ? for_line_indexed(r, unit, f) : for_line_decoded(r, unit, f);
}
