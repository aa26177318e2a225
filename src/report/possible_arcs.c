/*
 * "Exits" are lines from which the flow goes on behind a statement. Statements without code are passed over. An arc
 * that leaves a code object leads to the negative of its first line.
 */
#include "report/possible_arcs.h"

#include <string.h>

#include "base/bisect.h"
#define WITHS_MAX 128  /* in each other: not more than levels of indentation */
#define BLOCKS_MAX 256 /* the same, a level may have two */

struct line_list {
	uint32_t *lines;
	size_t n, room;
};

enum block_kind { BLOCK_LOOP, BLOCK_FUNCTION, BLOCK_TRY };

struct block {
	enum block_kind kind;
	uint32_t start;		 /* of a loop or function */
	uint32_t handler;	 /* of a try: its first `except`; 0: none, or not in its body any more */
	struct line_list breaks; /* of a loop */
};

struct finder {
	const struct analysis *a;
	struct possible_arcs *found;
	size_t room_ways;
	struct line_list withs; /* first lines of all `with` statements */
	uint32_t current_withs[WITHS_MAX];
	size_t n_current_withs;
	struct block blocks[BLOCKS_MAX];
	size_t n_blocks;
	uint32_t owner; /* the code object: a module, function or class */
	int error;
};

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
	if (arc_set_add(set, key) < 0)
		f->error = -ENOMEM;
}

static uint32_t first_of(const struct finder *f, uint32_t line)
{
	return analysis_first_line(f->a, line);
}

static const struct statement *statement_at(const struct finder *f, uint32_t index)
{
	return &f->a->syntax.statements[index];
}

static void add_arc(struct finder *f, uint32_t from, int32_t to)
{
	set_add(f, &f->found->arcs, arc_key_of((int32_t)from, to));
	for (size_t i = 0; i < f->n_current_withs; i++)
		if (f->current_withs[i] == from)
			set_add(f, &f->found->with_entries, arc_key_of((int32_t)from, to));
}

static void add_way_out(struct finder *f, uint32_t from, uint32_t start, enum branch_way way)
{
	struct possible_arcs *p = f->found;
	struct arc_way *ways = grow(f, p->ways, p->n_ways, &f->room_ways, sizeof(*ways));

	add_arc(f, from, -(int32_t)start);
	if (!ways)
		return;
	p->ways = ways;
	ways[p->n_ways] = (struct arc_way){arc_key_of((int32_t)from, -(int32_t)start), p->n_ways, way, f->owner};
	p->n_ways++;
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
		set_add(f, &f->found->with_exits, arc_key_of((int32_t)ends.lines[i], (int32_t)start));
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

static int compare_lines(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int compare_ways(const void *a, const void *b)
{
	const struct arc_way *x = a, *y = b;

	if (x->arc != y->arc)
		return x->arc < y->arc ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* What was found can be looked up from now on. */
static void finish(struct finder *f)
{
	struct possible_arcs *p = f->found;

	arc_set_finish(&p->arcs);
	arc_set_finish(&p->with_entries);
	arc_set_finish(&p->with_exits);
	p->withs = f->withs.lines;
	p->n_withs = f->withs.n;
	if (p->n_withs)
		qsort(p->withs, p->n_withs, sizeof(*p->withs), compare_lines);
	if (p->n_ways)
		qsort(p->ways, p->n_ways, sizeof(*p->ways), compare_ways);
}

int possible_arcs_find(const struct analysis *a, struct possible_arcs *ret)
{
	struct finder f = {.a = a, .found = ret};

	*ret = (struct possible_arcs){0};
	for (uint32_t i = 0; i < a->syntax.n_statements && f.error == 0; i++) {
		enum statement_kind kind = statement_at(&f, i)->kind;

		if ((kind == STATEMENT_MODULE && statement_at(&f, i)->body) || kind == STATEMENT_FUNCTION ||
		    kind == STATEMENT_CLASS)
			visit_code(&f, i);
	}
	for (size_t i = 0; i < f.n_blocks; i++)
		list_deinit(&f.blocks[i].breaks);
	finish(&f);
	return f.error;
}

void possible_arcs_deinit(struct possible_arcs *possible)
{
	arc_set_deinit(&possible->arcs);
	arc_set_deinit(&possible->with_entries);
	arc_set_deinit(&possible->with_exits);
	free(possible->withs);
	free(possible->ways);
	*possible = (struct possible_arcs){0};
}

bool possible_arcs_has_with(const struct possible_arcs *p, uint32_t line)
{
	return p->n_withs && bsearch(&line, p->withs, p->n_withs, sizeof(line), compare_lines);
}

const struct arc_way *possible_arcs_way(const struct possible_arcs *p, arc_key arc)
{
	size_t at = BISECT(i, p->n_ways, p->ways[i].arc < arc);

	return at < p->n_ways && p->ways[at].arc == arc ? &p->ways[at] : NULL;
}
