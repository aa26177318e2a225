/*
 * Sets are told apart by a hash: each context that ran a line is mixed into the line's, in the order of their indexes.
 * The key is random, so nobody can prepare two sets that are taken for one.
 */
#include "report/html/line_contexts.h"

#include <errno.h>
#include <stdbool.h>

#include "base/hashmap.h"

struct line_state {
	uint64_t hash;
	uint32_t count;
	uint32_t last; /* the context that was mixed in last, plus 1 */
	uint32_t line;
};

static void mix(struct line_state *s, uint32_t context, const struct hash_key *key)
{
	struct {
		uint64_t hash, context;
	} both = {s->hash, context};

	if (s->last == context + 1)
		return;
	s->hash = hash_bytes(key, &both, sizeof(both));
	s->last = context + 1;
	s->count++;
}

static void mix_all(const struct analysis *a, struct line_state *states)
{
	struct hash_key key;

	hash_key_init(&key);
	for (size_t i = 0; i < a->file->n_lines; i++) {
		const struct lineset *lines = &a->file->lines[i].lines;

		for (uint32_t line = 0; (line = lineset_next(lines, line)) && line <= a->n_lines;)
			mix(&states[analysis_first_line(a, line)], (uint32_t)i, &key);
	}
}

static int compare(const void *a, const void *b)
{
	const struct line_state *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void number_sets(struct line_contexts *c, const struct line_state *states, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!states[i].count)
			continue;
		if (!c->n_sets || states[i].hash != states[i - 1].hash) {
			c->count[c->n_sets] = states[i].count;
			c->lines[c->n_sets++] = states[i].line;
		}
		c->set_of[states[i].line] = c->n_sets;
	}
}

int line_contexts_find(const struct analysis *a, struct line_contexts *ret)
{
	size_t n = (size_t)a->n_lines + 2;
	_cleanup_free_ struct line_state *states = calloc(n, sizeof(*states));

	*ret = (struct line_contexts){
		.a = a,
		.set_of = calloc(n, sizeof(*ret->set_of)),
		.count = calloc(n, sizeof(*ret->count)),
		.lines = calloc(n, sizeof(*ret->lines)),
	};
	if (!states || !ret->set_of || !ret->count || !ret->lines) {
		line_contexts_deinit(ret);
		return -ENOMEM;
	}
	for (uint32_t line = 0; line < n; line++)
		states[line].line = line;
	mix_all(a, states);
	qsort(states, n, sizeof(*states), compare);
	number_sets(ret, states, (uint32_t)n);
	return 0;
}

bool line_contexts_has(const struct line_contexts *c, uint32_t set, size_t i)
{
	uint32_t first = c->lines[set];

	for (uint32_t line = first; line <= c->a->n_lines && analysis_first_line(c->a, line) == first; line++)
		if (lineset_test(&c->a->file->lines[i].lines, line))
			return true;
	return false;
}

void line_contexts_deinit(struct line_contexts *c)
{
	free(c->set_of);
	free(c->count);
	free(c->lines);
	*c = (struct line_contexts){0};
}
