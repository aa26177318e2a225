/*
 * Which of the arcs that are possible are branches, and which of those ran: coverage.py's results.py (7.17.3), and what
 * its parser.py makes of arcs that leave a `with`.
 */
#include "report/analyze.h"

#include <string.h>

#include "base/bisect.h"
#include "report/possible_arcs.h"

#define CHAIN_MAX 1000 /* of `with` statements that end each other's bodies */

struct fixer {
	arc_key from, to; /* to 0: the arc is none */
};

struct finder {
	struct analysis *a;
	struct possible_arcs flow; /* as the statements have it */
	struct fixer *fixers;
	size_t n_fixers;
	int error;
};

/* Out of memory is remembered, and reported at the end. */
static void set_add(struct finder *f, struct arc_set *set, arc_key key)
{
	if (arc_set_add(set, key) < 0)
		f->error = -ENOMEM;
}

static int32_t map_line(const struct finder *f, int32_t line)
{
	return line < 0 ? -(int32_t)analysis_first_line(f->a, (uint32_t)-line)
			: (int32_t)analysis_first_line(f->a, (uint32_t)line);
}

/* Leaving a `with` is shown as going from the end of its body to what follows it. */

static int32_t next_of(const struct arc_set *nexts, uint32_t start)
{
	size_t at = arc_set_find(nexts, (int32_t)start);

	return at < nexts->n ? arc_to(nexts->keys[at]) : 0;
}

static int32_t final_next(const struct finder *f, const struct arc_set *nexts, uint32_t start)
{
	int32_t next = next_of(nexts, start);

	for (int i = 0;
	     i < CHAIN_MAX && next > 0 && arc_set_has(&f->flow.with_exits, arc_key_of((int32_t)start, next)) &&
	     next_of(nexts, (uint32_t)next);
	     i++) {
		start = (uint32_t)next;
		next = next_of(nexts, start);
	}
	return next;
}

static void find_nexts(struct finder *f, struct arc_set *nexts)
{
	for (size_t i = 0; i < f->flow.arcs.n; i++) {
		uint32_t from = (uint32_t)arc_from(f->flow.arcs.keys[i]);

		if (possible_arcs_has_with(&f->flow, from) && !arc_set_has(&f->flow.with_entries, f->flow.arcs.keys[i]))
			set_add(f, nexts, f->flow.arcs.keys[i]);
	}
	arc_set_finish(nexts);
}

static void find_fixers(struct finder *f)
{
	struct arc_set nexts = {0};

	find_nexts(f, &nexts);
	f->fixers = calloc(nexts.n + f->flow.with_exits.n + 1, sizeof(*f->fixers));
	for (size_t i = 0; f->fixers && i < f->flow.with_exits.n; i++) {
		arc_key key = f->flow.with_exits.keys[i];

		if (next_of(&nexts, (uint32_t)arc_to(key)))
			f->fixers[f->n_fixers++] = (struct fixer){
				key, arc_key_of(arc_from(key), final_next(f, &nexts, (uint32_t)arc_to(key)))};
	}
	for (size_t i = 0; f->fixers && i < nexts.n; i++) {
		int32_t start = arc_from(nexts.keys[i]);

		if (!arc_set_has(&f->flow.with_exits, arc_key_of(start, start)))
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
	size_t at = BISECT(i, f->n_fixers, f->fixers[i].from <= key);

	return at && f->fixers[at - 1].from == key ? f->fixers[at - 1].to : key;
}

/* Add @key to @set as coverage.py shows it. */
static void add_shown(struct finder *f, struct arc_set *set, arc_key key)
{
	arc_key fixed = fix(f, key);

	if (fixed)
		set_add(f, set, arc_key_of(map_line(f, arc_from(fixed)), map_line(f, arc_to(fixed))));
}

static void drop_self_arcs(struct arc_set *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->n; i++)
		if (arc_from(set->keys[i]) != arc_to(set->keys[i]))
			set->keys[kept++] = set->keys[i];
	set->n = kept;
}

static void find_possible(struct finder *f, struct arc_set *possible)
{
	f->error = possible_arcs_find(f->a, &f->flow);
	if (f->flow.n_withs)
		find_fixers(f);
	if (f->n_fixers)
		qsort(f->fixers, f->n_fixers, sizeof(*f->fixers), compare_fixers);
	for (size_t i = 0; i < f->flow.arcs.n; i++)
		add_shown(f, possible, f->flow.arcs.keys[i]);
	arc_set_finish(possible);
	drop_self_arcs(possible);
}

/* The only line that can follow @from; 0: none, or more than one. */
static int32_t single_of(const struct arc_set *possible, int32_t from)
{
	size_t at = arc_set_find(possible, from);

	if (at == possible->n || (at + 1 < possible->n && arc_from(possible->keys[at + 1]) == from))
		return 0;
	return arc_to(possible->keys[at]);
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
			add_shown(f, &raw, arc_key_of(lines->arcs[j].from, lines->arcs[j].to));
	}
	for (size_t i = 0; i < raw.n; i++) {
		int32_t from = arc_from(raw.keys[i]), to = arc_to(raw.keys[i]);

		if (from == to)
			to = single_of(possible, from);
		if (to)
			add_shown(f, executed, arc_key_of(from, to));
	}
	arc_set_finish(executed);
	free(raw.keys);
}

static bool is_excluded(const struct finder *f, int32_t line)
{
	return line > 0 && (uint32_t)line <= f->a->n_lines && f->a->lines[line] & LINE_EXCLUDED;
}

static void name_way(const struct finder *f, arc_key key, struct branch *branch)
{
	const struct arc_way *way = possible_arcs_way(&f->flow, key);

	branch->way = way ? way->way : branch->to < 0 ? BRANCH_EXIT : BRANCH_JUMP;
	if (way)
		branch->owner = way->owner;
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
	for (size_t from = 0, to; from < possible->n; from = to) {
		int32_t line = arc_from(possible->keys[from]);
		size_t counted = 0;

		for (to = from; to < possible->n && arc_from(possible->keys[to]) == line; to++)
			counted += !is_excluded(f, arc_to(possible->keys[to]));
		if (counted < 2 || line <= 0 || (uint32_t)line > a->n_lines || is_excluded(f, line))
			continue;
		for (size_t i = from; i < to; i++) {
			struct branch *b = &a->branches[a->n_branches++];

			*b = (struct branch){.from = (uint32_t)line, .to = arc_to(possible->keys[i])};
			b->excluded = is_excluded(f, b->to);
			b->executed = arc_set_has(executed, possible->keys[i]);
			b->missing = !b->executed && !b->excluded && !(a->lines[line] & LINE_NO_BRANCH);
			name_way(f, possible->keys[i], b);
		}
	}
}

static void finder_deinit(struct finder *f)
{
	possible_arcs_deinit(&f->flow);
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
			a->lines[analysis_first_line(a, line)] |= LINE_START;
	find_possible(&f, &possible);
	find_executed(&f, with, &possible, &executed);
	if (f.error == 0)
		choose_branches(&f, &possible, &executed);
	free(possible.keys);
	free(executed.keys);
	return f.error;
}
