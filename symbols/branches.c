#include "symbols/branches.h"

#include <stdlib.h>

#include "base/bisect.h"
#include "symbols/linetable.h"

/*
 * From Lib/opcode.py and Lib/_opcode_metadata.py of 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0, 3.14.10 and 3.15.2.
 * 3.8: SETUP_*, CALL_FINALLY (162) and END_FINALLY (88).
 */
/* clang-format off */
static const struct opcode_row {
	uint8_t minor;
	uint8_t unit; /* bytes that an argument counts */
	uint8_t kinds[256];
} rows[] = {
	{.minor = 8, .unit = 1, .kinds = {
		[144] = BRANCHES_OP_EXTENDED, [54] = BRANCHES_OP_TOLD, [72] = BRANCHES_OP_TOLD,
		[93] = BRANCHES_OP_BRANCH, [111] = BRANCHES_OP_BRANCH_TO, [112] = BRANCHES_OP_BRANCH_TO,
		[114] = BRANCHES_OP_BRANCH_TO, [115] = BRANCHES_OP_BRANCH_TO, [110] = BRANCHES_OP_JUMP,
		[113] = BRANCHES_OP_JUMP_TO, [83] = BRANCHES_OP_RETURN, [88] = BRANCHES_OP_FINALLY_END,
		[130] = BRANCHES_OP_RAISE, [162] = BRANCHES_OP_FINALLY, [122] = BRANCHES_OP_SETUP,
		[143] = BRANCHES_OP_SETUP, [154] = BRANCHES_OP_SETUP,
	}},
	{.minor = 9, .unit = 1, .kinds = {
		[144] = BRANCHES_OP_EXTENDED, [54] = BRANCHES_OP_TOLD, [72] = BRANCHES_OP_TOLD,
		[93] = BRANCHES_OP_BRANCH, [111] = BRANCHES_OP_BRANCH_TO, [112] = BRANCHES_OP_BRANCH_TO,
		[114] = BRANCHES_OP_BRANCH_TO, [115] = BRANCHES_OP_BRANCH_TO, [121] = BRANCHES_OP_BRANCH_TO,
		[110] = BRANCHES_OP_JUMP, [113] = BRANCHES_OP_JUMP_TO, [83] = BRANCHES_OP_RETURN,
		[48] = BRANCHES_OP_RAISE, [130] = BRANCHES_OP_RAISE, [122] = BRANCHES_OP_SETUP,
		[143] = BRANCHES_OP_SETUP, [154] = BRANCHES_OP_SETUP,
	}},
	{.minor = 10, .unit = 2, .kinds = {
		[144] = BRANCHES_OP_EXTENDED, [54] = BRANCHES_OP_TOLD, [72] = BRANCHES_OP_TOLD,
		[93] = BRANCHES_OP_BRANCH, [111] = BRANCHES_OP_BRANCH_TO, [112] = BRANCHES_OP_BRANCH_TO,
		[114] = BRANCHES_OP_BRANCH_TO, [115] = BRANCHES_OP_BRANCH_TO, [121] = BRANCHES_OP_BRANCH_TO,
		[110] = BRANCHES_OP_JUMP, [113] = BRANCHES_OP_JUMP_TO, [83] = BRANCHES_OP_RETURN,
		[119] = BRANCHES_OP_RAISE, [130] = BRANCHES_OP_RAISE, [122] = BRANCHES_OP_SETUP,
		[143] = BRANCHES_OP_SETUP, [154] = BRANCHES_OP_SETUP,
	}},
	{.minor = 11, .unit = 2, .kinds = {
		[144] = BRANCHES_OP_EXTENDED, [54] = BRANCHES_OP_TOLD, [151] = BRANCHES_OP_RESUME,
		[93] = BRANCHES_OP_BRANCH, [111] = BRANCHES_OP_BRANCH, [112] = BRANCHES_OP_BRANCH,
		[114] = BRANCHES_OP_BRANCH, [115] = BRANCHES_OP_BRANCH, [128] = BRANCHES_OP_BRANCH,
		[129] = BRANCHES_OP_BRANCH, [173] = BRANCHES_OP_BRANCH_BACK, [174] = BRANCHES_OP_BRANCH_BACK,
		[175] = BRANCHES_OP_BRANCH_BACK, [176] = BRANCHES_OP_BRANCH_BACK, [110] = BRANCHES_OP_JUMP,
		[134] = BRANCHES_OP_JUMP_BACK, [140] = BRANCHES_OP_JUMP_BACK, [123] = BRANCHES_OP_SEND,
		[83] = BRANCHES_OP_RETURN, [119] = BRANCHES_OP_RAISE, [130] = BRANCHES_OP_RAISE,
	}},
	{.minor = 12, .unit = 2, .kinds = {
		[144] = BRANCHES_OP_EXTENDED, [151] = BRANCHES_OP_RESUME, [93] = BRANCHES_OP_BRANCH,
		[114] = BRANCHES_OP_BRANCH, [115] = BRANCHES_OP_BRANCH, [128] = BRANCHES_OP_BRANCH,
		[129] = BRANCHES_OP_BRANCH, [110] = BRANCHES_OP_JUMP, [134] = BRANCHES_OP_JUMP_BACK,
		[140] = BRANCHES_OP_JUMP_BACK, [123] = BRANCHES_OP_SEND, [83] = BRANCHES_OP_RETURN,
		[121] = BRANCHES_OP_RETURN, [119] = BRANCHES_OP_RAISE, [130] = BRANCHES_OP_RAISE,
	}},
	{.minor = 13, .unit = 2, .kinds = {
		[71] = BRANCHES_OP_EXTENDED, [149] = BRANCHES_OP_RESUME, [72] = BRANCHES_OP_BRANCH,
		[97] = BRANCHES_OP_BRANCH, [98] = BRANCHES_OP_BRANCH, [99] = BRANCHES_OP_BRANCH,
		[100] = BRANCHES_OP_BRANCH, [79] = BRANCHES_OP_JUMP, [77] = BRANCHES_OP_JUMP_BACK,
		[78] = BRANCHES_OP_JUMP_BACK, [104] = BRANCHES_OP_SEND, [36] = BRANCHES_OP_RETURN,
		[103] = BRANCHES_OP_RETURN, [101] = BRANCHES_OP_RAISE, [102] = BRANCHES_OP_RAISE,
	}},
	{.minor = 14, .unit = 2, .kinds = {
		[69] = BRANCHES_OP_EXTENDED, [128] = BRANCHES_OP_RESUME, [70] = BRANCHES_OP_BRANCH,
		[100] = BRANCHES_OP_BRANCH, [101] = BRANCHES_OP_BRANCH, [102] = BRANCHES_OP_BRANCH,
		[103] = BRANCHES_OP_BRANCH, [77] = BRANCHES_OP_JUMP, [75] = BRANCHES_OP_JUMP_BACK,
		[76] = BRANCHES_OP_JUMP_BACK, [106] = BRANCHES_OP_SEND, [35] = BRANCHES_OP_RETURN,
		[104] = BRANCHES_OP_RAISE, [105] = BRANCHES_OP_RAISE, [68] = BRANCHES_OP_ASYNC_END,
	}},
	{.minor = 15, .unit = 2, .kinds = {
		[67] = BRANCHES_OP_EXTENDED, [128] = BRANCHES_OP_RESUME, [68] = BRANCHES_OP_BRANCH,
		[99] = BRANCHES_OP_BRANCH, [100] = BRANCHES_OP_BRANCH, [101] = BRANCHES_OP_BRANCH,
		[102] = BRANCHES_OP_BRANCH, [76] = BRANCHES_OP_JUMP, [74] = BRANCHES_OP_JUMP_BACK,
		[75] = BRANCHES_OP_JUMP_BACK, [105] = BRANCHES_OP_SEND, [33] = BRANCHES_OP_RETURN,
		[103] = BRANCHES_OP_RAISE, [104] = BRANCHES_OP_RAISE, [66] = BRANCHES_OP_ASYNC_END,
	}},
};
/* clang-format on */

#define CACHE 0 /* units of it are behind an instruction, from 3.11 on; nowhere else is there an opcode 0 */

#define STEPS_PER_UNIT 64
#define STEPS_MIN 100000
#define DEPTH_MAX 50

struct unit {
	int32_t line;	 /* 0: none */
	uint32_t next;	 /* instruction */
	uint32_t target; /* where it may jump to */
	uint32_t ways;	 /* that lead here */
	uint32_t inner;	 /* of those, from the same stretch of the same line */
	uint32_t setup;	 /* 3.8, 3.9: the instruction that makes this one a handler of exceptions */
	uint32_t calls;	 /* 3.8: a FINALLY, of which this is the END; and of that the next one */
	uint32_t met;	 /* by which follow() */
	uint8_t kind;
	bool starts; /* a stretch of a line */
	bool inside; /* may be run as part of its line: see comes_to_line() */
};

#define NONE UINT32_MAX

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
	uint32_t first;		   /* instruction that counts */
	struct stretch *stretches; /* by line, then start */
	size_t n_stretches;
	uint32_t follows;
	uint64_t steps; /* that may still be gone: bytecode that was made up could have us go round for ever */
};

static const struct opcode_row *row_find(uint8_t minor)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].minor == minor)
			return &rows[i];
	return NULL;
}

enum branches_op branches_op_of(uint8_t minor, uint8_t opcode)
{
	const struct opcode_row *row = row_find(minor);

	return row ? row->kinds[opcode] : BRANCHES_OP_PLAIN;
}

unsigned int branches_jump_unit(uint8_t minor)
{
	const struct opcode_row *row = row_find(minor);

	return row ? row->unit : 2;
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
static uint32_t target_of(const struct resolver *r, enum branches_op kind, uint32_t next, uint64_t argument)
{
	uint64_t units = argument * r->row->unit / 2, target;

	switch (kind) {
	case BRANCHES_OP_BRANCH:
	case BRANCHES_OP_JUMP:
	case BRANCHES_OP_SEND:
	case BRANCHES_OP_SETUP:
	case BRANCHES_OP_FINALLY:
		target = next + units;
		break;
	case BRANCHES_OP_BRANCH_BACK:
	case BRANCHES_OP_JUMP_BACK:
	case BRANCHES_OP_ASYNC_END:
		target = next - units;
		break;
	case BRANCHES_OP_BRANCH_TO:
	case BRANCHES_OP_JUMP_TO:
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

	for (uint32_t i = 0, next; i < r->n; i = next) {
		struct unit *u = &r->units[i];

		u->kind = r->row->kinds[bytecode[2 * i]];
		u->setup = u->calls = NONE;
		argument = (argument << 8 | bytecode[2 * i + 1]) & UINT32_MAX;
		for (next = i + 1; next < r->n && u->kind != BRANCHES_OP_EXTENDED && bytecode[2 * next] == CACHE;)
			next++;
		u->next = next;
		u->target = target_of(r, u->kind, next, argument);
		if (u->kind == BRANCHES_OP_RESUME && !r->first)
			r->first = next;
		if (u->kind != BRANCHES_OP_EXTENDED)
			argument = 0;
	}
	/* The loop is told of by the instruction before that which its end names. */
	for (uint32_t i = 0; i < r->n; i = r->units[i].next) {
		struct unit *u = &r->units[i];

		if (u->kind == BRANCHES_OP_ASYNC_END && u->target < r->n &&
		    r->units[u->target].kind == BRANCHES_OP_PLAIN) {
			r->units[u->target].kind = BRANCHES_OP_BRANCH;
			r->units[u->target].target = u->next;
		}
	}
}

static bool goes_on(const struct unit *u)
{
	return u->kind != BRANCHES_OP_JUMP && u->kind != BRANCHES_OP_JUMP_BACK && u->kind != BRANCHES_OP_JUMP_TO &&
	       u->kind != BRANCHES_OP_RETURN && u->kind != BRANCHES_OP_RAISE && u->kind != BRANCHES_OP_ASYNC_END &&
	       u->kind != BRANCHES_OP_FINALLY;
}

static bool jumps(const struct resolver *r, const struct unit *u)
{
	return u->target < r->n && u->kind != BRANCHES_OP_ASYNC_END && u->kind != BRANCHES_OP_SETUP;
}

static bool decides(const struct unit *u)
{
	return u->kind == BRANCHES_OP_BRANCH || u->kind == BRANCHES_OP_BRANCH_BACK || u->kind == BRANCHES_OP_BRANCH_TO;
}

static bool has_signed_lines(const struct resolver *r)
{
	return r->code->linetable_kind == LAYOUT_LINETABLE_LNOTAB;
}

/*
 * 3.8 and 3.9 take the code at the end of a function for a part of its last line. For the interpreter control comes to a
 * line at the start of its stretch, or by a jump back; else it is where it was.
 */
static bool comes_to_line(const struct resolver *r, uint32_t from, uint32_t to)
{
	return !has_signed_lines(r) || r->units[to].starts || to < from;
}

static bool is_told(const struct unit *u)
{
	return u->kind == BRANCHES_OP_SEND || u->kind == BRANCHES_OP_TOLD || u->kind == BRANCHES_OP_FINALLY_END;
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
			r->units[i].starts = true;
			r->stretches[r->n_stretches++] = (struct stretch){u->line, i, r->n, true};
		}
		r->stretches[r->n_stretches - 1].end = u->next;
		/* an exception leads there as well, or the end of a `finally` */
		if (u->kind == BRANCHES_OP_SETUP && u->target < r->n)
			r->units[u->target].ways += 2;
		if (u->kind == BRANCHES_OP_FINALLY && u->next < r->n)
			r->units[u->next].ways += 2;
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

/* 3.8: where the `finally` ends that begins at @at; those within it have ends of their own. */
static uint32_t end_of_finally(struct resolver *r, uint32_t at)
{
	uint32_t depth = 0;

	for (; at < r->n && r->steps; at = r->units[at].next, r->steps--) {
		const struct unit *u = &r->units[at];

		if (u->kind == BRANCHES_OP_SETUP && u->target < r->n && r->units[u->target].kind != BRANCHES_OP_TOLD)
			depth++;
		else if (u->kind == BRANCHES_OP_FINALLY_END && depth-- == 0)
			return at;
	}
	return NONE;
}

static void find_handlers(struct resolver *r)
{
	for (uint32_t i = 0, end; i < r->n; i = r->units[i].next) {
		struct unit *u = &r->units[i];

		if (u->target >= r->n)
			continue;
		if (u->kind == BRANCHES_OP_SETUP)
			r->units[u->target].setup = i;
		if (u->kind != BRANCHES_OP_FINALLY || (end = end_of_finally(r, u->target)) == NONE)
			continue;
		u->calls = r->units[end].calls;
		r->units[end].calls = i;
	}
}

/* Which instructions may be run as part of the line that the table gives them? */
static void find_inside(struct resolver *r)
{
	for (uint32_t i = 0; i < r->n; i = r->units[i].next) {
		const struct unit *u = &r->units[i];

		r->units[i].inside |= u->starts || !has_signed_lines(r);
		if (u->kind == BRANCHES_OP_FINALLY && u->next < r->n)
			r->units[u->next].inside = true;
		if (u->setup != NONE && r->code->minor == 9)
			r->units[i].inside = true;
		if (jumps(r, u) && u->target < i)
			r->units[u->target].inside = true;
	}
	for (uint32_t i = 0; i < r->n; i = r->units[i].next) {
		const struct unit *u = &r->units[i];

		if (!u->inside)
			continue;
		if (goes_on(u) && u->next < r->n && !r->units[u->next].starts)
			r->units[u->next].inside = true;
		if (jumps(r, u) && u->target > i && u->kind != BRANCHES_OP_FINALLY &&
		    u->line == r->units[u->target].line)
			r->units[u->target].inside = true;
	}
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
	size_t at = BISECT(i, r->n_stretches, r->stretches[i].line < r->units[unit].line);

	return at < r->n_stretches && r->stretches[at].alone && r->stretches[at].start == unit;
}

static int tell(const struct resolver *r, int32_t from, int32_t to)
{
	if (!lineset_test(r->ran, (uint32_t)from) || (to > 0 && !lineset_test(r->ran, (uint32_t)to)))
		return 0;
	return to ? r->fn(r->arg, from, to) : 0;
}

static unsigned int ways_of(const struct resolver *r, uint32_t i)
{
	return r->code->ways[i / 4] >> (2 * (i % 4)) & 3u;
}

/* 3.8: @end is come to in line @from, and may go back to where the `finally` was called. */
static int return_from_finally(struct resolver *r, int32_t from, uint32_t end)
{
	int ret = 0;

	for (uint32_t i = r->units[end].calls; i != NONE && ret == 0 && r->steps; i = r->units[i].calls, r->steps--) {
		uint32_t next = r->units[i].next;

		if (next < r->n && r->units[next].line && ways_of(r, next))
			ret = tell(r, from, r->units[next].line);
	}
	return ret;
}

/* Does the instruction tell itself where its way comes to, when control is in line @from? */
static bool tells_itself(const struct resolver *r, const struct unit *u, int32_t from)
{
	return !has_signed_lines(r) || (u->inside && u->line == from);
}

/* Go from instruction @before to @at and on, until something tells where the way that began in line @from comes to. */
static int follow_way(struct resolver *r, int32_t from, uint32_t before, uint32_t at, unsigned int depth)
{
	int ret;

	for (; at < r->n && r->steps; r->steps--) {
		struct unit *u = &r->units[at];

		if (u->line && u->line != from && comes_to_line(r, before, at))
			return tell(r, from, u->line);
		if (u->kind == BRANCHES_OP_RETURN)
			return tell(r, from, -r->code->first_line);
		/* another branch tells of itself; what raises has its way from there */
		if ((!goes_on(u) && !jumps(r, u)) || ((decides(u) || is_told(u)) && tells_itself(r, u, from)))
			return 0;
		if (has_signed_lines(r)) {
			if (u->met == r->follows)
				return 0;
			u->met = r->follows;
			if (u->kind == BRANCHES_OP_FINALLY_END && (ret = return_from_finally(r, from, at)) != 0)
				return ret;
			if (decides(u) && ways_of(r, at) & BRANCHES_WAY_JUMP && depth &&
			    (ret = follow_way(r, from, at, u->target, depth - 1)) != 0)
				return ret;
			if ((decides(u) || is_told(u) || !goes_on(u)) && !(ways_of(r, at) & BRANCHES_WAY_ON))
				return 0;
		}
		before = at;
		at = goes_on(u) ? u->next : u->target;
	}
	return 0;
}

static int follow(struct resolver *r, int32_t from, uint32_t before, uint32_t at)
{
	r->follows++;
	return follow_way(r, from, before, at, DEPTH_MAX);
}

/* The only way from line to line here: when the second ran, this was taken. */
static int follow_only(struct resolver *r, uint32_t at)
{
	int32_t from = r->units[at].line;

	for (; r->steps; r->steps--) {
		const struct unit *u = &r->units[at];

		if (decides(u) || u->kind == BRANCHES_OP_SEND || (!goes_on(u) && !jumps(r, u)))
			return 0;
		at = goes_on(u) ? u->next : u->target;
		if (at >= r->n || r->units[at].ways != 1 || r->units[at].line == from)
			return 0;
		if (r->units[at].line)
			return stands_for_line(r, at) ? tell(r, from, r->units[at].line) : 0;
	}
	return 0;
}

/* Not every line has an event of its own: 3.14 has none for a second `return` that the compiler made of one. */
static int tell_lines(const struct resolver *r)
{
	int ret = 0;

	for (uint32_t i = 0; i < r->n && ret == 0; i = r->units[i].next) {
		const struct unit *u = &r->units[i];

		if (u->line && u->inside && ways_of(r, i) && (u->kind == BRANCHES_OP_RETURN || decides(u)))
			ret = r->fn(r->arg, u->line, u->line);
	}
	return ret;
}

/*
 * 3.8, 3.9: the end of an `async for`, which an exception leads to, belongs to the last line of its body, or to what comes
 * behind. It is no start of a line as a rule, except that on 3.9 it counts as one unless the exception comes from the
 * code object's first line.
 */
static int resolve_async_end(struct resolver *r, uint32_t i)
{
	const struct unit *u = &r->units[i];
	uint32_t start = u->setup;
	int32_t from;
	int ret;

	for (; start && !r->units[start].starts && r->steps; r->steps--)
		start--;
	from = r->units[start].line;
	if (!from)
		return 0;
	if (!u->starts && (start == 0 || r->code->minor == 8))
		return follow(r, from, i, u->next);
	ret = tell(r, from, u->line);
	return ret == 0 ? follow(r, u->line, i, u->next) : ret;
}

/* 3.8, 3.9: what is no branch, and has been run. */
static int resolve_plain(struct resolver *r, uint32_t i)
{
	const struct unit *u = &r->units[i];

	if (!goes_on(u) && !jumps(r, u))
		return 0;
	return follow(r, u->line, i, goes_on(u) ? u->next : u->target);
}

static int resolve_unit(struct resolver *r, uint32_t i)
{
	const struct unit *u = &r->units[i];
	unsigned int ways = ways_of(r, i);
	int ret = 0;

	if (u->kind == BRANCHES_OP_TOLD && u->setup != NONE && has_signed_lines(r))
		return ways ? resolve_async_end(r, i) : 0;
	if (!u->inside)
		return 0;
	if (u->kind == BRANCHES_OP_RETURN)
		return ways ? tell(r, u->line, -r->code->first_line) : 0;
	if (u->kind == BRANCHES_OP_FINALLY_END && (ret = return_from_finally(r, u->line, i)) != 0)
		return ret;
	if (!decides(u) && !is_told(u))
		return ways && has_signed_lines(r) ? resolve_plain(r, i) : follow_only(r, i);
	if (ways & BRANCHES_WAY_ON)
		ret = follow(r, u->line, i, u->next);
	if (ret == 0 && ways & BRANCHES_WAY_JUMP)
		ret = follow(r, u->line, i, u->target);
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
	if (has_signed_lines(r))
		find_handlers(r);
	find_inside(r);
	sort_stretches(r);
	if (!has_signed_lines(r))
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
