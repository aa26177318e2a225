#include "symbols/branches.h"

#include <stdlib.h>

#include "symbols/linetable.h"

enum op_kind {
	OP_PLAIN,
	OP_EXTENDED,
	OP_BRANCH,	/* may jump forwards */
	OP_BRANCH_BACK, /* backwards */
	OP_BRANCH_TO,	/* to an address */
	OP_JUMP,	/* always jumps */
	OP_JUMP_BACK,
	OP_JUMP_TO,
	OP_RESUME, /* before and with the first one of these nothing counts */
	OP_SEND,   /* as OP_BRANCH, of which nobody tells which way it went */
	OP_RETURN,
	OP_RAISE,  /* nothing follows */
	OP_ASYNC_END, /* 3.14: the way out of the loop that the instruction before its target begins, which is told as its jump */
};

/*
 * From Lib/opcode.py and Lib/_opcode_metadata.py of 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0, 3.14.10 and 3.15.2.
 * 3.8: END_FINALLY (88) goes on, jumps or raises; it counts as one that raises.
 */
static const struct opcode_row {
	uint8_t minor;
	uint8_t unit; /* bytes that an argument counts */
	uint8_t kinds[256];
} rows[] = {
	{.minor = 8, .unit = 1,
	 .kinds = {[144] = OP_EXTENDED, [93] = OP_BRANCH, [111] = OP_BRANCH_TO, [112] = OP_BRANCH_TO, [114] = OP_BRANCH_TO,
		   [115] = OP_BRANCH_TO, [110] = OP_JUMP, [113] = OP_JUMP_TO, [83] = OP_RETURN, [88] = OP_RAISE,
		   [130] = OP_RAISE, [162] = OP_JUMP}},
	{.minor = 9, .unit = 1,
	 .kinds = {[144] = OP_EXTENDED, [93] = OP_BRANCH, [111] = OP_BRANCH_TO, [112] = OP_BRANCH_TO, [114] = OP_BRANCH_TO,
		   [115] = OP_BRANCH_TO, [121] = OP_BRANCH_TO, [110] = OP_JUMP, [113] = OP_JUMP_TO, [83] = OP_RETURN,
		   [48] = OP_RAISE, [130] = OP_RAISE}},
	{.minor = 10, .unit = 2,
	 .kinds = {[144] = OP_EXTENDED, [93] = OP_BRANCH, [111] = OP_BRANCH_TO, [112] = OP_BRANCH_TO, [114] = OP_BRANCH_TO,
		   [115] = OP_BRANCH_TO, [121] = OP_BRANCH_TO, [110] = OP_JUMP, [113] = OP_JUMP_TO, [83] = OP_RETURN,
		   [119] = OP_RAISE, [130] = OP_RAISE}},
	{.minor = 11, .unit = 2,
	 .kinds = {[144] = OP_EXTENDED, [151] = OP_RESUME, [93] = OP_BRANCH, [111] = OP_BRANCH, [112] = OP_BRANCH, [114] = OP_BRANCH,
		   [115] = OP_BRANCH, [128] = OP_BRANCH, [129] = OP_BRANCH, [173] = OP_BRANCH_BACK, [174] = OP_BRANCH_BACK,
		   [175] = OP_BRANCH_BACK, [176] = OP_BRANCH_BACK, [110] = OP_JUMP, [134] = OP_JUMP_BACK,
		   [140] = OP_JUMP_BACK, [123] = OP_SEND, [83] = OP_RETURN, [119] = OP_RAISE, [130] = OP_RAISE}},
	{.minor = 12, .unit = 2,
	 .kinds = {[144] = OP_EXTENDED, [151] = OP_RESUME, [93] = OP_BRANCH, [114] = OP_BRANCH, [115] = OP_BRANCH, [128] = OP_BRANCH,
		   [129] = OP_BRANCH, [110] = OP_JUMP, [134] = OP_JUMP_BACK, [140] = OP_JUMP_BACK, [123] = OP_SEND,
		   [83] = OP_RETURN, [121] = OP_RETURN, [119] = OP_RAISE, [130] = OP_RAISE}},
	{.minor = 13, .unit = 2,
	 .kinds = {[71] = OP_EXTENDED, [149] = OP_RESUME, [72] = OP_BRANCH, [97] = OP_BRANCH, [98] = OP_BRANCH, [99] = OP_BRANCH,
		   [100] = OP_BRANCH, [79] = OP_JUMP, [77] = OP_JUMP_BACK, [78] = OP_JUMP_BACK, [104] = OP_SEND,
		   [36] = OP_RETURN, [103] = OP_RETURN, [101] = OP_RAISE, [102] = OP_RAISE}},
	{.minor = 14, .unit = 2,
	 .kinds = {[69] = OP_EXTENDED, [128] = OP_RESUME, [70] = OP_BRANCH, [100] = OP_BRANCH, [101] = OP_BRANCH, [102] = OP_BRANCH,
		   [103] = OP_BRANCH, [77] = OP_JUMP, [75] = OP_JUMP_BACK, [76] = OP_JUMP_BACK, [106] = OP_SEND,
		   [35] = OP_RETURN, [104] = OP_RAISE, [105] = OP_RAISE, [68] = OP_ASYNC_END}},
	{.minor = 15, .unit = 2,
	 .kinds = {[67] = OP_EXTENDED, [128] = OP_RESUME, [68] = OP_BRANCH, [99] = OP_BRANCH, [100] = OP_BRANCH, [101] = OP_BRANCH,
		   [102] = OP_BRANCH, [76] = OP_JUMP, [74] = OP_JUMP_BACK, [75] = OP_JUMP_BACK, [105] = OP_SEND,
		   [33] = OP_RETURN, [103] = OP_RAISE, [104] = OP_RAISE, [66] = OP_ASYNC_END}},
};

#define CACHE 0 /* units of it are behind an instruction, from 3.11 on; nowhere else is there an opcode 0 */

#define STEPS_PER_UNIT 64
#define STEPS_MIN 100000

struct unit {
	int32_t line;	 /* 0: none */
	uint32_t next;	 /* instruction */
	uint32_t target; /* where it may jump to */
	uint32_t ways;	 /* that lead here */
	uint32_t inner;	 /* of those, from the same stretch of the same line */
	uint8_t kind;
	bool starts; /* an instruction, or the EXTENDED_ARG before one */
};

/* A stretch of one line, in the order of the bytecode. */
struct stretch {
	int32_t line;
	uint32_t start, end;
	bool alone; /* there is no other of this line, and it is entered at its start */
};

struct resolver {
	const struct branches_code *code;
	const struct lineset *ran;
	branches_arc_fn *fn;
	void *arg;
	const struct opcode_row *row;
	struct unit *units;
	uint32_t n;
	uint32_t first; /* instruction that counts */
	struct stretch *stretches; /* by line, then start */
	size_t n_stretches;
	uint64_t steps; /* that may still be gone: bytecode that was made up could have us go round for ever */
};

static const struct opcode_row *row_find(uint8_t minor)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].minor == minor)
			return &rows[i];
	return NULL;
}

bool branches_are_known(uint8_t minor)
{
	return row_find(minor) != NULL;
}

static int read_lines(struct resolver *r)
{
	const struct branches_code *c = r->code;
	struct linetable_range range;
	struct linetable table;
	int ret;

	linetable_init(&table, c->linetable_kind, c->table, c->table_len, c->first_line, (uint32_t)c->size);
	while ((ret = linetable_next(&table, &range)) > 0)
		for (uint32_t i = range.start / 2; i < range.end / 2 && i < r->n; i++)
			r->units[i].line = range.line > 0 ? range.line : 0;
	return ret;
}

/* Where the instruction jumps to, of which @next is behind it and its caches; or beyond the end. */
static uint32_t target_of(const struct resolver *r, enum op_kind kind, uint32_t next, uint64_t argument)
{
	uint64_t units = argument * r->row->unit / 2, target;

	switch (kind) {
	case OP_BRANCH:
	case OP_JUMP:
	case OP_SEND:
		target = next + units;
		break;
	case OP_BRANCH_BACK:
	case OP_JUMP_BACK:
	case OP_ASYNC_END:
		target = next - units;
		break;
	case OP_BRANCH_TO:
	case OP_JUMP_TO:
		target = units;
		break;
	default:
		return r->n;
	}
	return target < r->n ? (uint32_t)target : r->n;
}

static void read_instructions(struct resolver *r)
{
	const uint8_t *bytecode = r->code->bytecode;
	uint64_t argument = 0;
	bool extended = false;

	for (uint32_t i = 0, next; i < r->n; i = next) {
		struct unit *u = &r->units[i];

		u->kind = r->row->kinds[bytecode[2 * i]];
		u->starts = !extended;
		argument = (argument << 8 | bytecode[2 * i + 1]) & UINT32_MAX;
		for (next = i + 1; next < r->n && u->kind != OP_EXTENDED && bytecode[2 * next] == CACHE;)
			next++;
		u->next = next;
		u->target = target_of(r, u->kind, next, argument);
		extended = u->kind == OP_EXTENDED;
		if (u->kind == OP_RESUME && !r->first)
			r->first = next;
		if (!extended)
			argument = 0;
	}
	/* The loop is told of by the instruction before that which its end names. */
	for (uint32_t i = 0; i < r->n; i = r->units[i].next) {
		struct unit *u = &r->units[i];

		if (u->kind == OP_ASYNC_END && u->target < r->n && r->units[u->target].kind == OP_PLAIN) {
			r->units[u->target].kind = OP_BRANCH;
			r->units[u->target].target = u->next;
		}
	}
}

static bool goes_on(const struct unit *u)
{
	return u->kind != OP_JUMP && u->kind != OP_JUMP_BACK && u->kind != OP_JUMP_TO && u->kind != OP_RETURN &&
	       u->kind != OP_RAISE && u->kind != OP_ASYNC_END;
}

static bool jumps(const struct resolver *r, const struct unit *u)
{
	return u->target < r->n && u->kind != OP_ASYNC_END;
}

static bool decides(const struct unit *u)
{
	return u->kind == OP_BRANCH || u->kind == OP_BRANCH_BACK || u->kind == OP_BRANCH_TO;
}

static void add_way(struct resolver *r, uint32_t from, uint32_t to, uint32_t start)
{
	if (to >= r->n)
		return;
	r->units[to].ways++;
	/* `start` is that of the stretch of `from`; a line of several stretches is told of by none of them */
	r->units[to].inner += to >= start && r->units[to].line == r->units[from].line;
}

/* Count the ways that lead to each instruction; the function's entry is one. */
static int read_ways(struct resolver *r)
{
	uint32_t start = 0;

	r->stretches = calloc(r->n + 1, sizeof(*r->stretches));
	if (!r->stretches)
		return -ENOMEM;
	r->units[0].ways = 1;
	for (uint32_t i = 0; i < r->n; i = r->units[i].next) {
		const struct unit *u = &r->units[i];

		if (i == 0 || u->line != r->units[start].line) {
			start = i;
			r->stretches[r->n_stretches++] = (struct stretch){u->line, i, r->n, true};
		}
		r->stretches[r->n_stretches - 1].end = u->next;
		if (goes_on(u))
			add_way(r, i, u->next, start);
		if (jumps(r, u))
			add_way(r, i, u->target, start);
	}
	return 0;
}

static int by_line(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort_stretches(struct resolver *r)
{
	for (size_t i = 0; i < r->n_stretches; i++) {
		struct stretch *s = &r->stretches[i];

		for (uint32_t at = r->units[s->start].next; at < s->end && s->alone; at = r->units[at].next)
			s->alone = r->units[at].ways && r->units[at].ways == r->units[at].inner;
	}
	qsort(r->stretches, r->n_stretches, sizeof(*r->stretches), by_line);
	for (size_t i = 1; i < r->n_stretches; i++)
		if (r->stretches[i].line == r->stretches[i - 1].line)
			r->stretches[i].alone = r->stretches[i - 1].alone = false;
}

/* Does it mean, when the line of instruction @unit ran, that this instruction did? */
static bool stands_for_line(const struct resolver *r, uint32_t unit)
{
	size_t low = 0, high = r->n_stretches;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->stretches[middle].line < r->units[unit].line)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n_stretches && r->stretches[low].alone && r->stretches[low].start == unit;
}

static int tell(const struct resolver *r, int32_t from, int32_t to)
{
	if (!lineset_test(r->ran, (uint32_t)from) || (to > 0 && !lineset_test(r->ran, (uint32_t)to)))
		return 0;
	return to ? r->fn(r->arg, from, to) : 0;
}

/* Go from instruction @at on, until something tells where the way that began in line @from comes to. */
static int follow(struct resolver *r, int32_t from, uint32_t at)
{
	for (; at < r->n && r->steps; r->steps--) {
		const struct unit *u = &r->units[at];

		if (u->line && u->line != from)
			return tell(r, from, u->line);
		if (u->kind == OP_RETURN)
			return tell(r, from, -r->code->first_line);
		/* another branch tells of itself; what raises has its way from there */
		if (decides(u) || u->kind == OP_SEND || (!goes_on(u) && !jumps(r, u)))
			return 0;
		at = goes_on(u) ? u->next : u->target;
	}
	return 0;
}

/* The only way from line to line here: when the second ran, this was taken. */
static int follow_only(struct resolver *r, uint32_t at)
{
	int32_t from = r->units[at].line;

	for (; r->steps; r->steps--) {
		const struct unit *u = &r->units[at];

		if (decides(u) || u->kind == OP_SEND || (!goes_on(u) && !jumps(r, u)))
			return 0;
		at = goes_on(u) ? u->next : u->target;
		if (at >= r->n || r->units[at].ways != 1 || r->units[at].line == from)
			return 0;
		if (r->units[at].line)
			return stands_for_line(r, at) ? tell(r, from, r->units[at].line) : 0;
	}
	return 0;
}

static unsigned int ways_of(const struct resolver *r, uint32_t i)
{
	return r->code->ways[i / 4] >> (2 * (i % 4)) & 3u;
}

/* Not every line has an event of its own: 3.14 has none for a second `return` that the compiler made of one. */
static int tell_lines(const struct resolver *r)
{
	int ret = 0;

	for (uint32_t i = 0; i < r->n && ret == 0; i = r->units[i].next) {
		const struct unit *u = &r->units[i];

		if (u->line && ways_of(r, i) && (u->kind == OP_RETURN || decides(u)))
			ret = r->fn(r->arg, u->line, u->line);
	}
	return ret;
}

static int resolve_unit(struct resolver *r, uint32_t i)
{
	const struct unit *u = &r->units[i];
	unsigned int ways = ways_of(r, i);
	int ret = 0;

	if (u->kind == OP_RETURN)
		return ways ? tell(r, u->line, -r->code->first_line) : 0;
	if (!decides(u))
		return follow_only(r, i);
	if (ways & BRANCHES_WAY_ON)
		ret = follow(r, u->line, u->next);
	if (ret == 0 && ways & BRANCHES_WAY_JUMP)
		ret = follow(r, u->line, u->target);
	return ret;
}

static int resolve(struct resolver *r)
{
	int ret = read_lines(r);

	if (ret < 0)
		return ret;
	read_instructions(r);
	ret = read_ways(r);
	if (ret < 0)
		return ret;
	sort_stretches(r);
	ret = tell_lines(r);
	for (uint32_t i = r->first; i < r->n && ret == 0; i = r->units[i].next)
		if (r->units[i].line)
			ret = resolve_unit(r, i);
	return ret;
}

int branches_resolve(const struct branches_code *code, const struct lineset *ran, branches_arc_fn *fn, void *arg)
{
	struct resolver r = {.code = code, .ran = ran, .fn = fn, .arg = arg, .row = row_find(code->minor)};
	int ret;

	if (!r.row)
		return -ENOTSUP;
	r.n = (uint32_t)(code->size / 2);
	if (code->size % 2 || code->size > UINT32_MAX / 2 || code->first_line < 0)
		return -EBADMSG;
	if (!r.n)
		return 0;
	r.units = calloc(r.n, sizeof(*r.units));
	r.steps = STEPS_PER_UNIT * (uint64_t)r.n + STEPS_MIN;
	ret = r.units ? resolve(&r) : -ENOMEM;
	free(r.units);
	free(r.stretches);
	return ret;
}
