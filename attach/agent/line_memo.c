/*
 * PyCode_Addr2Line() by a shorter way. For each LINE event CPython 3.12 and 3.13 look up the line of the instruction and
 * that of the one before; beyond 127 lines from the first they do so from the start of the line table, which took 5 % of
 * the time of a program that imports much. Here marks are left in the table, one every few entries, and a search begins at
 * the last before the instruction.
 *
 * Code objects come and go, and their tables; so the part up to the mark is compared with a copy each time. Anybody may
 * call it, without the GIL and in the handler of a signal (faulthandler): whoever finds a memo in use does without.
 */
#include "agent.h"

#define MEMOS 4u
#define TABLE_MIN 256u /* bytes of a line table that is worth it */
#define MARK_BYTES 128u
#define COPY_SIZE 32768u

#define KIND_NO_COLUMNS 13u /* PEP 657: Objects/locations.md */
#define KIND_LONG 14u
#define NO_LINE 31u /* kind 15, with the bit that begins an entry */

/* Where a search may begin: the entry at `next` is that of the instruction at byte `end`. */
struct mark {
	uint32_t next, end;
	int32_t line;
};

struct memo {
	uint32_t is_busy; /* atomic */
	uint32_t n;
	struct mark marks[COPY_SIZE / MARK_BYTES]; /* the first is the table's start */
	uint8_t copy[COPY_SIZE];		   /* of the table, up to the last mark */
};

struct table {
	const uint8_t *data;
	uint32_t size;
};

/* @p end is moved behind it. */
static int32_t signed_varint(const uint8_t *p, const uint8_t **end)
{
	uint32_t value = *p & 63u, shift = 0;

	while (*p & 64) {
		p++;
		shift += 6;
		value |= (*p & 63u) << (shift & 31); /* of a table that is none CPython makes this, too */
	}
	*end = p + 1;
	return value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
}

/* As advance() in Objects/codeobject.c; true if the entry has a line. In a table that is none a number may go on in what
 * follows the entry: @p is_whole gets false. */
static bool advance(const struct table *t, struct mark *m, bool *is_whole)
{
	const uint8_t *p = t->data + m->next, *limit = t->data + t->size, *read = p;
	uint32_t first = *p, kind = first >> 3 & 15;

	if (kind >= 10 && kind <= 12)
		m->line += (int32_t)kind - 10;
	else if (kind == KIND_NO_COLUMNS || kind == KIND_LONG)
		m->line += signed_varint(p + 1, &read);
	m->end += 2 * ((first & 7) + 1);
	do
		p++;
	while (p < limit && !(*p & 128));
	m->next = (uint32_t)(p - t->data);
	*is_whole &= read <= p;
	return first >> 3 != NO_LINE;
}

/* The last mark that is not behind @at. */
static uint32_t find_mark(const struct memo *memo, uint32_t at)
{
	uint32_t low = 0, high = memo->n;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (memo->marks[middle].end <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void leave_mark(struct memo *memo, const struct table *t, const struct mark *m)
{
	uint32_t last = memo->marks[memo->n - 1].next;

	if (m->next < last + MARK_BYTES || m->next > COPY_SIZE || memo->n == COPY_SIZE / MARK_BYTES)
		return;
	memcpy(memo->copy + last, t->data + last, m->next - last);
	memo->marks[memo->n++] = *m;
}

/* Is @p m, of the copy, where an entry of @p t begins? */
static bool holds(const struct memo *memo, const struct table *t, const struct mark *m)
{
	return m->next <= t->size && (m->next == t->size || t->data[m->next] & 128 || !m->next) &&
	       !memcmp(memo->copy, t->data, m->next);
}

static int32_t search(struct memo *memo, const struct table *t, int32_t first_line, uint32_t at)
{
	uint32_t i = memo->n ? find_mark(memo, at) : 0;
	struct mark m = memo->marks[i];
	bool has_line = false, may_mark;

	if (!memo->n || memo->marks[0].line != first_line || !holds(memo, t, &m)) {
		m = memo->marks[0] = (struct mark){0, 0, first_line};
		memo->n = 1;
		i = 0;
	}
	/* Only then is all of the copy known to be of this table. */
	may_mark = i == memo->n - 1;
	while (m.end <= at) {
		if (m.next >= t->size)
			return -1;
		has_line = advance(t, &m, &may_mark);
		if (may_mark)
			leave_mark(memo, t, &m);
	}
	return has_line ? m.line : -1;
}

static struct memo *memo_of(const PyObject *code)
{
	struct memo *memos = (struct memo *)atomic_load(&agent_data.line_memos);

	return memos ? &memos[(uint64_t)code / 64 % MEMOS] : NULL;
}

void line_memos_make(void)
{
	if (agent_data.resume[HOOK_LINE_OF] && !agent_data.line_memos)
		atomic_store(&agent_data.line_memos, (uint64_t)heap_alloc(MEMOS * sizeof(struct memo)));
}

/* In place of PyCode_Addr2Line(). */
hidden int agent_line_of(PyObject *code, int at)
{
	const struct agent_layout *l = &agent_data.layout;
	const PyObject *bytes = load_ptr(code, l->code_linetable);
	uint64_t size = load64(bytes, l->bytes_size);
	struct memo *memo = memo_of(code);
	int line;

	if (at < 0 || size < TABLE_MIN || size > UINT32_MAX || !memo || !atomic_cas(&memo->is_busy, 0, 1))
		return ((int (*)(PyObject *, int))(uintptr_t)agent_data.resume[HOOK_LINE_OF])(code, at);
	line = search(memo, &(struct table){(const uint8_t *)bytes + l->bytes_data, (uint32_t)size},
		      load32(code, l->code_firstlineno), (uint32_t)at);
	atomic_store(&memo->is_busy, 0);
	return line;
}
