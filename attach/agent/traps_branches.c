/*
 * Branches, on CPython 3.8 to 3.11: traps tell which way an instruction went.
 *
 * Where an instruction can only be come to by one way of one branch, its first trap says that this way was taken, and is
 * gone. A branch of which not both ways are told so is watched: the trap stays at it, where the interpreter goes on with
 * the opcode that was meant each time, and at the two instructions where its ways lead to. The next trap in the same frame
 * is at one of these, unless an exception came; that leads to a handler, or out of the frame and later into it anew: there
 * are traps as well, as long as anything is watched. When the ways of a branch are known its traps go.
 *
 * 3.8, 3.9: of jumps, and of what goes on to another line, it is told that they were run.
 */
#include "traps.h"

#define MARK_LINE 1u   /* a line's trap */
#define MARK_BRANCH 2u /* a branch that is watched begins here */
#define MARK_ON 4u     /* come to by one branch alone, that goes on */
#define MARK_JUMP 8u   /* that jumps */
#define MARK_PASS 16u  /* only that it is run is told */
#define MARK_ENTRY 32u /* the function begins here, or a handler of exceptions */
#define MARK_START 64u /* 3.8, 3.9: of a line; not a trap by itself */
#define MARK_MANY 255u

struct trap_mark {
	uint32_t from; /* the instruction that leads here; of use where that is one alone */
	uint8_t flags;
	uint8_t ways;	  /* that lead here; MARK_MANY: or more */
	uint8_t watchers; /* branches that are watched and lead here; MARK_MANY: or more */
};

struct trap_pending {
	struct trap_pending *next;
	const void *frame;
	uint32_t unit; /* where the branch begins */
};

/* An instruction, with the EXTENDED_ARG before it. */
struct step {
	uint32_t start, unit, next, target; /* target beyond the end: none */
	uint8_t op;
};

static struct step step_at(const struct trap_record *r, uint32_t unit)
{
	const struct agent_traps *t = &agent_data.traps;
	struct step s = {.start = unit, .target = r->units};
	uint64_t argument = 0;

	for (;; unit++) {
		s.op = t->ops[r->original[2 * unit]];
		argument = (argument << 8 | r->original[2 * unit + 1]) & UINT32_MAX;
		if (s.op != AGENT_OP_EXTENDED || unit + 1 >= r->units)
			break;
	}
	s.unit = unit;
	s.next = unit + 1u + t->caches[r->original[2 * unit]];
	if (s.next > r->units)
		s.next = r->units;
	argument = argument * t->jump_unit / 2;
	if (s.op == AGENT_OP_BRANCH_TO || s.op == AGENT_OP_JUMP_TO)
		s.target = argument < r->units ? (uint32_t)argument : r->units;
	else if (s.op == AGENT_OP_BRANCH_BACK || s.op == AGENT_OP_JUMP_BACK)
		s.target = argument <= s.next ? s.next - (uint32_t)argument : r->units;
	else if (s.op == AGENT_OP_BRANCH || s.op == AGENT_OP_JUMP || s.op == AGENT_OP_SEND || s.op == AGENT_OP_SETUP ||
		 s.op == AGENT_OP_FINALLY)
		s.target = s.next + argument < r->units ? s.next + (uint32_t)argument : r->units;
	return s;
}

static bool decides(const struct step *s)
{
	return s->op == AGENT_OP_BRANCH || s->op == AGENT_OP_BRANCH_BACK || s->op == AGENT_OP_BRANCH_TO;
}

static bool goes_on(const struct step *s)
{
	return s->op != AGENT_OP_JUMP && s->op != AGENT_OP_JUMP_BACK && s->op != AGENT_OP_JUMP_TO &&
	       s->op != AGENT_OP_RETURN && s->op != AGENT_OP_RAISE;
}

static uint32_t first_unit(const struct trap_record *r)
{
	const struct agent_layout *l = &agent_data.layout;

	return l->code_firsttraceable ? (uint32_t)load32(r->code, l->code_firsttraceable) : 0;
}

static bool is_plantable(const struct trap_record *r, uint32_t unit)
{
	return unit < r->units && unit >= first_unit(r) && agent_data.traps.flags[r->original[2 * unit]] & TRAP_PLANT;
}

/* ---------------------------------------------------------------------------------------------------- the marks */

static void add_way(const struct trap_record *r, uint32_t from, uint32_t to)
{
	struct trap_mark *m = &r->marks[to];

	if (to >= r->units)
		return;
	m->from = from;
	m->ways += m->ways < MARK_MANY;
}

/* Exceptions lead here. */
static void add_entry(const struct trap_record *r, uint32_t unit)
{
	if (unit >= r->units)
		return;
	r->marks[unit].flags |= MARK_ENTRY;
	r->marks[unit].ways = MARK_MANY;
}

static uint32_t read_varint(const uint8_t **p, const uint8_t *limit)
{
	uint32_t value = 0;

	while (*p < limit) {
		uint8_t byte = *(*p)++;

		value = value << 6 | (byte & 63);
		if (!(byte & 64))
			break;
	}
	return value;
}

/* 3.11: start, length, target and depth of each stretch, in units. */
static void mark_handlers(const struct trap_record *r)
{
	const struct agent_layout *l = &agent_data.layout;
	const PyObject *table = l->code_exceptiontable ? load_ptr(r->code, l->code_exceptiontable) : NULL;
	const uint8_t *p = table ? (const uint8_t *)table + l->bytes_data : NULL;
	const uint8_t *limit = table ? p + load64(table, l->bytes_size) : NULL;

	while (p < limit) {
		read_varint(&p, limit);
		read_varint(&p, limit);
		add_entry(r, read_varint(&p, limit));
		read_varint(&p, limit);
	}
}

/* 3.8, 3.9: a line has code that may belong to another, so that the ways between lines have to be told apart. */
static void mark_starts(const struct trap_record *r)
{
	struct line_cursor c;
	struct line_run run;

	line_cursor_init(&c, r);
	while (only_starts_count() && line_cursor_next(&c, &run))
		if (run.start < r->units)
			r->marks[run.start].flags |= MARK_START;
}

/* Is it of use to know that the instruction at @s, which is no branch, was run? */
static bool is_passed(const struct trap_record *r, const struct step *s)
{
	if (s->op == AGENT_OP_RETURN)
		return true;
	if (!only_starts_count() || decides(s) || s->op == AGENT_OP_TOLD || s->op == AGENT_OP_FINALLY_END)
		return false;
	return !goes_on(s) || s->op == AGENT_OP_FINALLY || (s->next < r->units && r->marks[s->next].flags & MARK_START);
}

static void mark_pass(const struct trap_record *r, uint32_t unit)
{
	if (is_plantable(r, unit))
		r->marks[unit].flags |= MARK_PASS;
}

static void mark_ways(const struct trap_record *r)
{
	uint32_t entry = first_unit(r);

	for (uint32_t unit = 0; unit < r->units;) {
		struct step s = step_at(r, unit);

		if (s.op == AGENT_OP_SETUP)
			add_entry(r, s.target);
		else if (s.target < r->units)
			add_way(r, unit, s.target);
		if (s.op == AGENT_OP_FINALLY) {
			add_entry(r, s.next);
			mark_pass(r, s.next);
		}
		if (goes_on(&s))
			add_way(r, unit, s.next);
		if (is_passed(r, &s))
			mark_pass(r, unit);
		unit = s.next;
	}
	while (entry < r->units && !is_plantable(r, entry))
		entry = step_at(r, entry).next;
	add_entry(r, entry);
	if (only_starts_count())
		mark_pass(r, entry);
	mark_handlers(r);
}

static void add_watcher(const struct trap_record *r, uint32_t unit)
{
	r->marks[unit].watchers += r->marks[unit].watchers < MARK_MANY;
}

/* One way of it is told. */
static void mark_told(struct trap_record *r, const struct step *s)
{
	uint32_t to = s->op == AGENT_OP_SEND ? s->target : s->next;

	if (!is_plantable(r, to))
		return;
	if (r->marks[to].ways == 1) {
		r->marks[to].flags |= s->op == AGENT_OP_SEND ? MARK_JUMP : MARK_ON;
	} else if (s->op != AGENT_OP_SEND && is_plantable(r, s->start)) {
		r->marks[s->start].flags |= MARK_BRANCH;
		add_watcher(r, to);
		r->watched++;
	}
}

static void mark_branches(struct trap_record *r)
{
	for (uint32_t unit = 0, next; unit < r->units; unit = next) {
		struct step s = step_at(r, unit);

		next = s.next;
		if (s.op == AGENT_OP_SEND || s.op == AGENT_OP_TOLD || s.op == AGENT_OP_FINALLY_END)
			mark_told(r, &s);
		if (!decides(&s) || s.next == s.target || !is_plantable(r, unit) || !is_plantable(r, s.next) ||
		    !is_plantable(r, s.target))
			continue;
		if (r->marks[s.next].ways == 1)
			r->marks[s.next].flags |= MARK_ON;
		if (r->marks[s.target].ways == 1)
			r->marks[s.target].flags |= MARK_JUMP;
		if (r->marks[s.next].ways == 1 && r->marks[s.target].ways == 1)
			continue;
		r->marks[unit].flags |= MARK_BRANCH;
		add_watcher(r, s.next);
		add_watcher(r, s.target);
		r->watched++;
	}
}

/* Is there anything to be told at @m? */
static bool is_wanted(const struct trap_record *r, const struct trap_mark *m)
{
	return m->flags & (MARK_LINE | MARK_BRANCH | MARK_ON | MARK_JUMP | MARK_PASS) || m->watchers ||
	       (m->flags & MARK_ENTRY && r->watched);
}

void branches_plant(struct trap_record *r)
{
	size_t size = r->units * sizeof(struct trap_mark);

	r->watched = 0;
	r->marks = r->region_code ? block_alloc(size) : NULL;
	if (!r->marks)
		return;
	memset(r->marks, 0, size);
	for (uint32_t unit = 0; unit < r->units; unit = step_at(r, unit).next)
		if (r->live[2 * unit] == agent_data.traps.opcode && r->original[2 * unit] != agent_data.traps.opcode)
			r->marks[unit].flags = MARK_LINE;
	mark_starts(r);
	mark_ways(r);
	mark_branches(r);
	for (uint32_t unit = 0; unit < r->units; unit = step_at(r, unit).next)
		if (is_plantable(r, unit) && is_wanted(r, &r->marks[unit]))
			record_trap(r, unit);
}

void branches_forget(struct trap_record *r)
{
	struct trap_pending *next;

	for (struct trap_pending *p = r->pending; p; p = next) {
		next = p->next;
		block_free(p, sizeof(*p));
	}
	block_free(r->marks, r->units * sizeof(struct trap_mark));
	r->pending = NULL;
	r->marks = NULL;
	r->watched = 0;
}

bool branches_keep(const struct trap_record *r, uint32_t unit)
{
	r->marks[unit].flags &= (uint8_t)~MARK_LINE;
	return is_wanted(r, &r->marks[unit]);
}

static void release(const struct trap_record *r, uint32_t unit)
{
	if (!is_wanted(r, &r->marks[unit]))
		record_restore(r, unit);
}

static void remove_watcher(const struct trap_record *r, uint32_t unit)
{
	if (r->marks[unit].watchers < MARK_MANY)
		r->marks[unit].watchers--;
	release(r, unit);
}

static void unwatch(struct trap_record *r, const struct step *s)
{
	r->marks[s->start].flags &= (uint8_t)~MARK_BRANCH;
	r->watched--;
	release(r, s->start);
	remove_watcher(r, s->next);
	if (decides(s))
		remove_watcher(r, s->target);
	for (uint32_t unit = 0; !r->watched && unit < r->units; unit = step_at(r, unit).next)
		if (r->marks[unit].flags & MARK_ENTRY)
			release(r, unit);
}

/* ---------------------------------------------------------------------------------------------------- the ways */

static unsigned int set_way(const struct trap_record *r, uint32_t unit, unsigned int way)
{
	return atomic_load(&agent_data.region) ? region_set_way(r->region_code, unit, way) : 0;
}

/* The branch that begins at @start went this way. */
static void on_way(struct trap_record *r, uint32_t start, unsigned int way)
{
	struct step s = step_at(r, start);
	unsigned int known = set_way(r, s.unit, way);

	if (!(r->marks[start].flags & MARK_BRANCH))
		return;
	/* No need to watch for what is told without; nor where nothing can be kept. */
	if (r->marks[s.next].ways == 1)
		known |= REGION_WAY_ON;
	if (!decides(&s) || r->marks[s.target].ways == 1)
		known |= REGION_WAY_JUMP;
	if (!known || known == (REGION_WAY_ON | REGION_WAY_JUMP))
		unwatch(r, &s);
}

/* The branch that was met last in @frame; UINT32_MAX: none. It is met no more. */
static uint32_t take_pending(struct trap_record *r, const void *frame)
{
	struct trap_pending **at, *p;
	uint32_t unit;

	for (at = &r->pending; *at && (*at)->frame != frame; at = &(*at)->next)
		;
	p = *at;
	if (!p)
		return UINT32_MAX;
	unit = p->unit;
	*at = p->next;
	block_free(p, sizeof(*p));
	return unit;
}

static void add_pending(struct trap_record *r, const void *frame, uint32_t unit)
{
	struct trap_pending *p = block_alloc(sizeof(*p));

	if (!p)
		return;
	*p = (struct trap_pending){r->pending, frame, unit};
	r->pending = p;
}

bool branches_hit(struct trap_record *r, uint32_t unit, const void *frame)
{
	struct trap_mark *m = &r->marks[unit];
	uint32_t start = take_pending(r, frame);

	if (start != UINT32_MAX) {
		struct step s = step_at(r, start);

		if (unit == s.next)
			on_way(r, start, REGION_WAY_ON);
		else if (unit == s.target)
			on_way(r, start, REGION_WAY_JUMP);
	}
	if (m->flags & (MARK_ON | MARK_JUMP)) {
		unsigned int way = m->flags & MARK_ON ? REGION_WAY_ON : REGION_WAY_JUMP;

		m->flags &= (uint8_t) ~(MARK_ON | MARK_JUMP);
		on_way(r, m->from, way);
	}
	if (m->flags & MARK_PASS) {
		m->flags &= (uint8_t)~MARK_PASS;
		set_way(r, step_at(r, unit).unit, REGION_WAY_ON);
	}
	if (m->flags & MARK_BRANCH)
		add_pending(r, frame, unit);
	if (m->flags & MARK_LINE)
		return true;
	release(r, unit);
	return false;
}
