/*
 * Which lines can follow which, from the tree of statements, and which of that ran: coverage.py's
 * AstArcAnalyzer (coverage/parser.py, 7.17.3), whose rules on every kind of statement these are, and
 * its results.py.
 *
 * "Exits" are lines from which the flow goes on behind a statement. Statements without code are
 * passed over. An arc that leaves a code object leads to the negative of its first line.
 */
#include "report/analyze.h"

#include <string.h>

#define WITHS_MAX 128  /* in each other: not more than levels of indentation */
#define BLOCKS_MAX 256 /* the same, a level may have two */
#define CHAIN_MAX 1000 /* of `with` statements that end each other's bodies */

struct line_list {
	uint32_t *lines;
	size_t n, room;
};

/* (from, to) in one number that sorts like them */
typedef uint64_t arc_key;

struct arc_set {
	arc_key *keys;
	size_t n, room;
};

enum block_kind { BLOCK_LOOP, BLOCK_FUNCTION, BLOCK_TRY };

struct block {
	enum block_kind kind;
	uint32_t start;		 /* of a loop or function */
	uint32_t handler;	 /* of a try: its first `except`; 0: none, or not in its body any more */
	struct line_list breaks; /* of a loop */
};

/* Where an arc to the outside leads. */
struct way {
	arc_key arc;
	size_t order;
	enum branch_way way;
	uint32_t owner;
};

struct fixer {
	arc_key from, to; /* to 0: the arc is none */
};

struct finder {
	struct analysis *a;
	struct arc_set arcs, with_entries, with_exits;
	struct line_list withs; /* first lines of all with statements */
	uint32_t current_withs[WITHS_MAX];
	size_t n_current_withs;
	struct block blocks[BLOCKS_MAX];
	size_t n_blocks;
	struct way *ways;
	size_t n_ways, room_ways;
	struct fixer *fixers;
	size_t n_fixers;
	uint32_t owner; /* the code object: a module, function or class */
	int error;
};

static arc_key key_of(int32_t from, int32_t to)
{
	return (uint64_t)((uint32_t)from ^ 0x80000000u) << 32 | ((uint32_t)to ^ 0x80000000u);
}

static int32_t from_of(arc_key key)
{
	return (int32_t)((uint32_t)(key >> 32) ^ 0x80000000u);
}

static int32_t to_of(arc_key key)
{
	return (int32_t)((uint32_t)key ^ 0x80000000u);
}

/* Out of memory is remembered, and reported at the end. */
static void *grow(struct finder *f, void *array, size_t n, size_t *room, size_t size)
{
	void *grown = array;

	if (n == *room) {
		grown = reallocarray(array, *room ? *room * 2 : 16, size);
		if (!grown) {
			f->error = -ENOMEM;
			return NULL;
		}
		*room = *room ? *room * 2 : 16;
	}
	return grown;
}

static void list_add(struct finder *f, struct line_list *list, uint32_t line)
{
	uint32_t *lines = grow(f, list->lines, list->n, &list->room, sizeof(*lines));

	if (!lines)
		return;
	list->lines = lines;
	lines[list->n++] = line;
}

static void list_add_all(struct finder *f, struct line_list *list, const struct line_list *other)
{
	for (size_t i = 0; i < other->n; i++)
		list_add(f, list, other->lines[i]);
}

static void list_deinit(struct line_list *list)
{
	free(list->lines);
	*list = (struct line_list){0};
}
#define _cleanup_list_ _cleanup_(list_deinit)

static void set_add(struct finder *f, struct arc_set *set, arc_key key)
{
	arc_key *keys = grow(f, set->keys, set->n, &set->room, sizeof(*keys));

	if (!keys)
		return;
	set->keys = keys;
	keys[set->n++] = key;
}

static int compare_keys(const void *a, const void *b)
{
	const arc_key *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Sort, each once: set_has() wants that. */
static void set_finish(struct arc_set *set)
{
	size_t kept = 0;

	if (set->n)
		qsort(set->keys, set->n, sizeof(*set->keys), compare_keys);
	for (size_t i = 0; i < set->n; i++)
		if (!kept || set->keys[kept - 1] != set->keys[i])
			set->keys[kept++] = set->keys[i];
	set->n = kept;
}

static bool set_has(const struct arc_set *set, arc_key key)
{
	return set->n && bsearch(&key, set->keys, set->n, sizeof(key), compare_keys);
}

static uint32_t first_of(const struct finder *f, uint32_t line)
{
	return analysis_first_line(f->a, line);
}

static int32_t map_line(const struct finder *f, int32_t line)
{
	return line < 0 ? -(int32_t)first_of(f, (uint32_t)-line) : (int32_t)first_of(f, (uint32_t)line);
}

static const struct statement *statement_at(const struct finder *f, uint32_t index)
{
	return &f->a->syntax.statements[index];
}

static void add_arc(struct finder *f, uint32_t from, int32_t to)
{
	set_add(f, &f->arcs, key_of((int32_t)from, to));
	for (size_t i = 0; i < f->n_current_withs; i++)
		if (f->current_withs[i] == from)
			set_add(f, &f->with_entries, key_of((int32_t)from, to));
}

static void add_way_out(struct finder *f, uint32_t from, uint32_t start, enum branch_way way)
{
	struct way *ways = grow(f, f->ways, f->n_ways, &f->room_ways, sizeof(*ways));

	add_arc(f, from, -(int32_t)start);
	if (!ways)
		return;
	f->ways = ways;
	ways[f->n_ways] = (struct way){key_of((int32_t)from, -(int32_t)start), f->n_ways, way, f->owner};
	f->n_ways++;
}

/* The line at which it starts: of the first decorator, if there is one. */
static uint32_t line_of(const struct finder *f, const struct statement *s)
{
	return first_of(f, s->n_decorators ? f->a->syntax.decorators[s->decorators] : s->line);
}

/* Jumps. */

static struct block *push_block(struct finder *f, struct block block)
{
	if (f->n_blocks == BLOCKS_MAX) {
		f->error = -EBADMSG;
		f->n_blocks--;
	}
	f->blocks[f->n_blocks] = block;
	return &f->blocks[f->n_blocks++];
}

static struct block *nearest_loop(struct finder *f)
{
	for (size_t i = f->n_blocks; i-- > 0;)
		if (f->blocks[i].kind == BLOCK_LOOP)
			return &f->blocks[i];
	return NULL;
}

static void jump_return(struct finder *f, uint32_t line)
{
	for (size_t i = f->n_blocks; i-- > 0;)
		if (f->blocks[i].kind == BLOCK_FUNCTION) {
			add_way_out(f, line, f->blocks[i].start, BRANCH_RETURN);
			return;
		}
}

static void jump_raise(struct finder *f, uint32_t line)
{
	for (size_t i = f->n_blocks; i-- > 0;) {
		const struct block *block = &f->blocks[i];

		if (block->kind == BLOCK_LOOP)
			continue;
		if (block->kind == BLOCK_FUNCTION)
			add_way_out(f, line, block->start, BRANCH_EXCEPT);
		else if (block->handler)
			add_arc(f, line, (int32_t)block->handler);
		return;
	}
}

/* Statements. Each adds its exits to @exits. */

static void visit(struct finder *f, const struct statement *s, struct line_list *exits);

/* A body that is entered from the lines @from, which then holds its exits. */
static void visit_body(struct finder *f, uint32_t body, struct line_list *from)
{
	for (uint32_t i = body; i && f->error == 0; i = statement_at(f, i)->next) {
		const struct statement *s = statement_at(f, i);
		uint32_t line = line_of(f, s);

		if (!(f->a->lines[line] & LINE_START))
			continue;
		for (size_t j = 0; j < from->n; j++)
			add_arc(f, from->lines[j], (int32_t)line);
		from->n = 0;
		visit(f, s, from);
	}
}

/* The same, entered from one line; its exits are added. */
static void visit_body_from(struct finder *f, uint32_t body, uint32_t line, struct line_list *exits)
{
	_cleanup_list_ struct line_list from = {0};

	list_add(f, &from, line);
	visit_body(f, body, &from);
	list_add_all(f, exits, &from);
}

static void visit_if(struct finder *f, const struct statement *s, struct line_list *exits)
{
	uint32_t next = s->clauses;

	for (;;) {
		uint32_t start = first_of(f, s->line);
		const struct statement *clause = statement_at(f, next);

		if (!s->constant || s->value)
			visit_body_from(f, s->body, start, exits);
		if (s->constant && s->value)
			return;
		if (next && clause->kind == STATEMENT_ELSE) {
			visit_body_from(f, clause->body, start, exits);
			return;
		}
		if (!next || !(f->a->lines[first_of(f, clause->line)] & LINE_START)) {
			list_add(f, exits, start);
			return;
		}
		add_arc(f, start, (int32_t)first_of(f, clause->line));
		s = clause;
		next = clause->next;
	}
}

static void visit_loop(struct finder *f, const struct statement *s, struct line_list *exits)
{
	_cleanup_list_ struct line_list ends = {0};
	uint32_t start = first_of(f, s->line);
	struct block *block = push_block(f, (struct block){.kind = BLOCK_LOOP, .start = start});

	visit_body_from(f, s->body, start, &ends);
	for (size_t i = 0; i < ends.n; i++)
		add_arc(f, ends.lines[i], (int32_t)start);
	f->n_blocks--;
	list_add_all(f, exits, &block->breaks);
	list_deinit(&block->breaks);
	if (s->clauses)
		visit_body_from(f, statement_at(f, s->clauses)->body, start, exits);
	else if (s->kind == STATEMENT_FOR || !s->constant)
		list_add(f, exits, start);
}

static uint32_t find_clause(const struct finder *f, const struct statement *s, enum statement_kind kind)
{
	uint32_t i = s->clauses;

	while (i && statement_at(f, i)->kind != kind)
		i = statement_at(f, i)->next;
	return i;
}

static void visit_try(struct finder *f, const struct statement *s, struct line_list *exits)
{
	_cleanup_list_ struct line_list ends = {0};
	uint32_t handler = find_clause(f, s, STATEMENT_EXCEPT), final = find_clause(f, s, STATEMENT_FINALLY);
	uint32_t otherwise = find_clause(f, s, STATEMENT_ELSE);
	struct block *block = push_block(f, (struct block){.kind = BLOCK_TRY});

	if (handler)
		block->handler = first_of(f, statement_at(f, handler)->line);
	visit_body_from(f, s->body, first_of(f, s->line), &ends);
	block->handler = 0;
	if (!final)
		f->n_blocks--;
	{
		_cleanup_list_ struct line_list handled = {0};

		for (uint32_t i = handler; i; i = statement_at(f, i)->next)
			if (statement_at(f, i)->kind == STATEMENT_EXCEPT)
				visit_body_from(f, statement_at(f, i)->body, first_of(f, statement_at(f, i)->line),
						&handled);
		if (otherwise)
			visit_body(f, statement_at(f, otherwise)->body, &ends);
		list_add_all(f, &ends, &handled);
	}
	if (final) {
		bool any = ends.n > 0;

		f->n_blocks--;
		visit_body(f, statement_at(f, final)->body, &ends);
		if (!any)
			return;
	}
	list_add_all(f, exits, &ends);
}

/* A body goes back to the line of the `with`, and on from there. */
static void visit_with(struct finder *f, const struct statement *s, struct line_list *exits)
{
	_cleanup_list_ struct line_list ends = {0};
	uint32_t start = first_of(f, s->line);

	if (f->n_current_withs == WITHS_MAX) {
		f->error = -EBADMSG;
		return;
	}
	f->current_withs[f->n_current_withs++] = start;
	list_add(f, &f->withs, start);
	visit_body_from(f, s->body, start, &ends);
	f->n_current_withs--;
	for (size_t i = 0; i < ends.n; i++) {
		add_arc(f, ends.lines[i], (int32_t)start);
		set_add(f, &f->with_exits, key_of((int32_t)ends.lines[i], (int32_t)start));
	}
	if (ends.n)
		list_add(f, exits, start);
}

static void visit_match(struct finder *f, const struct statement *s, struct line_list *exits)
{
	uint32_t last = first_of(f, s->line);
	const struct statement *clause = NULL;

	for (uint32_t i = s->clauses; i; i = clause->next) {
		clause = statement_at(f, i);
		add_arc(f, last, (int32_t)first_of(f, clause->line));
		last = first_of(f, clause->line);
		visit_body_from(f, clause->body, last, exits);
	}
	if (clause && !clause->irrefutable)
		list_add(f, exits, last);
}

static void visit_definition(struct finder *f, const struct statement *s, struct line_list *exits)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < s->n_decorators; i++) {
		uint32_t line = first_of(f, f->a->syntax.decorators[s->decorators + i]);

		if (last && line != last)
			add_arc(f, last, (int32_t)line);
		last = line;
	}
	if (last)
		add_arc(f, last, (int32_t)s->line);
	list_add(f, exits, s->line);
}

static void visit(struct finder *f, const struct statement *s, struct line_list *exits)
{
	uint32_t line = first_of(f, s->line);
	struct block *loop;

	switch (s->kind) {
	case STATEMENT_RETURN:
		jump_return(f, line);
		break;
	case STATEMENT_RAISE:
		jump_raise(f, line);
		break;
	case STATEMENT_BREAK:
		loop = nearest_loop(f);
		if (loop)
			list_add(f, &loop->breaks, line);
		break;
	case STATEMENT_CONTINUE:
		loop = nearest_loop(f);
		if (loop)
			add_arc(f, line, (int32_t)loop->start);
		break;
	case STATEMENT_FUNCTION:
	case STATEMENT_CLASS:
		visit_definition(f, s, exits);
		break;
	case STATEMENT_IF:
		visit_if(f, s, exits);
		break;
	case STATEMENT_FOR:
	case STATEMENT_WHILE:
		visit_loop(f, s, exits);
		break;
	case STATEMENT_WITH:
		visit_with(f, s, exits);
		break;
	case STATEMENT_TRY:
		visit_try(f, s, exits);
		break;
	case STATEMENT_MATCH:
		visit_match(f, s, exits);
		break;
	default:
		list_add(f, exits, line);
	}
}

/* Code objects. */

static void visit_code(struct finder *f, uint32_t index)
{
	_cleanup_list_ struct line_list exits = {0};
	const struct statement *s = statement_at(f, index);
	uint32_t start = line_of(f, s);

	f->owner = index;
	f->n_blocks = 0;
	if (s->kind == STATEMENT_FUNCTION)
		push_block(f, (struct block){.kind = BLOCK_FUNCTION, .start = start});
	visit_body(f, s->body, &exits);
	for (size_t i = 0; i < exits.n; i++)
		if (s->kind == STATEMENT_FUNCTION)
			jump_return(f, exits.lines[i]);
		else
			add_way_out(f, exits.lines[i], start,
				    s->kind == STATEMENT_CLASS ? BRANCH_EXIT_CLASS : BRANCH_EXIT_MODULE);
}

/* Leaving a `with` is shown as going from the end of its body to what follows it. */

static int32_t next_of(const struct arc_set *nexts, uint32_t start)
{
	arc_key low = key_of((int32_t)start, INT32_MIN);
	size_t from = 0, to = nexts->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (nexts->keys[middle] < low)
			from = middle + 1;
		else
			to = middle;
	}
	return from < nexts->n && from_of(nexts->keys[from]) == (int32_t)start ? to_of(nexts->keys[from]) : 0;
}

static int32_t final_next(const struct finder *f, const struct arc_set *nexts, uint32_t start)
{
	int32_t next = next_of(nexts, start);

	for (int i = 0; i < CHAIN_MAX && next > 0 && set_has(&f->with_exits, key_of((int32_t)start, next)) &&
			next_of(nexts, (uint32_t)next);
	     i++) {
		start = (uint32_t)next;
		next = next_of(nexts, start);
	}
	return next;
}

static int compare_lines(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void find_nexts(struct finder *f, struct arc_set *nexts)
{
	if (f->withs.n)
		qsort(f->withs.lines, f->withs.n, sizeof(*f->withs.lines), compare_lines);
	for (size_t i = 0; i < f->arcs.n; i++) {
		uint32_t from = (uint32_t)from_of(f->arcs.keys[i]);

		if (f->withs.n && bsearch(&from, f->withs.lines, f->withs.n, sizeof(from), compare_lines) &&
		    !set_has(&f->with_entries, f->arcs.keys[i]))
			set_add(f, nexts, f->arcs.keys[i]);
	}
	set_finish(nexts);
}

static void find_fixers(struct finder *f)
{
	struct arc_set nexts = {0};

	find_nexts(f, &nexts);
	f->fixers = calloc(nexts.n + f->with_exits.n + 1, sizeof(*f->fixers));
	for (size_t i = 0; f->fixers && i < f->with_exits.n; i++) {
		arc_key key = f->with_exits.keys[i];

		if (next_of(&nexts, (uint32_t)to_of(key)))
			f->fixers[f->n_fixers++] =
				(struct fixer){key, key_of(from_of(key), final_next(f, &nexts, (uint32_t)to_of(key)))};
	}
	for (size_t i = 0; f->fixers && i < nexts.n; i++) {
		int32_t start = from_of(nexts.keys[i]);

		if (!set_has(&f->with_exits, key_of(start, start)))
			f->fixers[f->n_fixers++] = (struct fixer){nexts.keys[i], 0};
	}
	if (!f->fixers)
		f->error = -ENOMEM;
	free(nexts.keys);
}

static int compare_fixers(const void *a, const void *b)
{
	const struct fixer *x = a, *y = b;

	/* one that takes the arc away comes last, and counts */
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? 1 : x->to > y->to ? -1 : 0;
}

/* The arc to have in the place of @key, 0: none. */
static arc_key fix(const struct finder *f, arc_key key)
{
	size_t low = 0, high = f->n_fixers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->fixers[middle].from <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low && f->fixers[low - 1].from == key ? f->fixers[low - 1].to : key;
}

/* Add @key to @set as coverage.py shows it. */
static void add_shown(struct finder *f, struct arc_set *set, arc_key key)
{
	arc_key fixed = fix(f, key);

	if (fixed)
		set_add(f, set, key_of(map_line(f, from_of(fixed)), map_line(f, to_of(fixed))));
}

static void find_possible(struct finder *f, struct arc_set *possible)
{
	for (uint32_t i = 0; i < f->a->syntax.n_statements && f->error == 0; i++) {
		enum statement_kind kind = statement_at(f, i)->kind;

		if ((kind == STATEMENT_MODULE && statement_at(f, i)->body) || kind == STATEMENT_FUNCTION ||
		    kind == STATEMENT_CLASS)
			visit_code(f, i);
	}
	set_finish(&f->arcs);
	set_finish(&f->with_entries);
	set_finish(&f->with_exits);
	if (f->withs.n)
		find_fixers(f);
	if (f->n_fixers)
		qsort(f->fixers, f->n_fixers, sizeof(*f->fixers), compare_fixers);
	for (size_t i = 0; i < f->arcs.n; i++)
		add_shown(f, possible, f->arcs.keys[i]);
	set_finish(possible);
	{
		size_t kept = 0;

		for (size_t i = 0; i < possible->n; i++)
			if (from_of(possible->keys[i]) != to_of(possible->keys[i]))
				possible->keys[kept++] = possible->keys[i];
		possible->n = kept;
	}
}

/* The only line that can follow @from; 0: none, or more than one. */
static int32_t single_of(const struct arc_set *possible, int32_t from)
{
	arc_key low = key_of(from, INT32_MIN);
	size_t left = 0, right = possible->n;

	while (left < right) {
		size_t middle = left + (right - left) / 2;

		if (possible->keys[middle] < low)
			left = middle + 1;
		else
			right = middle;
	}
	if (left == possible->n || from_of(possible->keys[left]) != from ||
	    (left + 1 < possible->n && from_of(possible->keys[left + 1]) == from))
		return 0;
	return to_of(possible->keys[left]);
}

static void find_executed(struct finder *f, const struct analyzer *with, const struct arc_set *possible,
			  struct arc_set *executed)
{
	struct arc_set raw = {0};

	for (size_t i = 0; i < f->a->file->n_lines; i++) {
		const struct record_lines *lines = &f->a->file->lines[i];

		if (with->contexts && !line_regex_search(with->contexts, lines->context->name))
			continue;
		for (size_t j = 0; j < lines->n_arcs; j++)
			add_shown(f, &raw, key_of(lines->arcs[j].from, lines->arcs[j].to));
	}
	for (size_t i = 0; i < raw.n; i++) {
		int32_t from = from_of(raw.keys[i]), to = to_of(raw.keys[i]);

		if (from == to)
			to = single_of(possible, from);
		if (to)
			add_shown(f, executed, key_of(from, to));
	}
	set_finish(executed);
	free(raw.keys);
}

static bool is_excluded(const struct finder *f, int32_t line)
{
	return line > 0 && (uint32_t)line <= f->a->n_lines && f->a->lines[line] & LINE_EXCLUDED;
}

static int compare_ways(const void *a, const void *b)
{
	const struct way *x = a, *y = b;

	if (x->arc != y->arc)
		return x->arc < y->arc ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void name_way(const struct finder *f, arc_key key, struct branch *branch)
{
	size_t low = 0, high = f->n_ways;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->ways[middle].arc < key)
			low = middle + 1;
		else
			high = middle;
	}
	branch->way = branch->to < 0 ? BRANCH_EXIT : BRANCH_JUMP;
	if (low < f->n_ways && f->ways[low].arc == key) {
		branch->way = f->ways[low].way;
		branch->owner = f->ways[low].owner;
	}
}

/* Arcs from lines with more than one that is not excluded. */
static void choose_branches(struct finder *f, const struct arc_set *possible, const struct arc_set *executed)
{
	struct analysis *a = f->a;

	a->branches = calloc(possible->n + 1, sizeof(*a->branches));
	if (!a->branches) {
		f->error = -ENOMEM;
		return;
	}
	if (f->n_ways)
		qsort(f->ways, f->n_ways, sizeof(*f->ways), compare_ways);
	for (size_t from = 0, to; from < possible->n; from = to) {
		int32_t line = from_of(possible->keys[from]);
		size_t counted = 0;

		for (to = from; to < possible->n && from_of(possible->keys[to]) == line; to++)
			counted += !is_excluded(f, to_of(possible->keys[to]));
		if (counted < 2 || line <= 0 || (uint32_t)line > a->n_lines || is_excluded(f, line))
			continue;
		for (size_t i = from; i < to; i++) {
			struct branch *b = &a->branches[a->n_branches++];

			*b = (struct branch){.from = (uint32_t)line, .to = to_of(possible->keys[i])};
			b->excluded = is_excluded(f, b->to);
			b->executed = set_has(executed, possible->keys[i]);
			b->missing = !b->executed && !b->excluded && !(a->lines[line] & LINE_NO_BRANCH);
			name_way(f, possible->keys[i], b);
		}
	}
}

static void finder_deinit(struct finder *f)
{
	for (size_t i = 0; i < f->n_blocks; i++)
		list_deinit(&f->blocks[i].breaks);
	free(f->arcs.keys);
	free(f->with_entries.keys);
	free(f->with_exits.keys);
	free(f->withs.lines);
	free(f->ways);
	free(f->fixers);
}

int branches_find(const struct analyzer *with, struct analysis *a)
{
	_cleanup_(finder_deinit) struct finder f = {.a = a};
	struct arc_set possible = {0}, executed = {0};

	if (!a->syntax.n_logical)
		return 0;
	for (uint32_t line = 1; line <= a->n_lines; line++)
		if (a->lines[line] & LINE_RAW)
			a->lines[first_of(&f, line)] |= LINE_START;
	find_possible(&f, &possible);
	find_executed(&f, with, &possible, &executed);
	if (f.error == 0)
		choose_branches(&f, &possible, &executed);
	free(possible.keys);
	free(executed.keys);
	return f.error;
}
