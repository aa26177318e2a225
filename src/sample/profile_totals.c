#include "sample/profile_totals.h"

#include <string.h>

void profile_counts_add(struct profile_counts *a, const struct profile_counts *b)
{
	a->samples += b->samples;
	a->weight_ns += b->weight_ns;
	a->cpu_ns += b->cpu_ns;
	a->gil_ns += b->gil_ns;
}

/*
 * The sum of a subtree belongs to the group of its node, unless an ancestor is of that group too. Whether one is, is
 * known in a walk in depth: so the nodes are linked to their children first.
 */
struct walk {
	const struct profile *p;
	const uint32_t *group_of;
	uint32_t *first_child, *next_sibling; /* by node */
	struct profile_counts *sums;	      /* by node */
	uint32_t *depth_of;		      /* by group: frames of it in the stack */
	struct profile_total *totals;
};

static void walk_deinit(struct walk *w)
{
	free(w->first_child);
	free(w->next_sibling);
	free(w->sums);
	free(w->depth_of);
}

static int walk_init(struct walk *w, size_t n_groups)
{
	size_t n = w->p->n_nodes;

	w->first_child = malloc((n + 1) * sizeof(*w->first_child));
	w->next_sibling = malloc((n + 1) * sizeof(*w->next_sibling));
	w->sums = malloc((n + 1) * sizeof(*w->sums));
	w->depth_of = calloc(n_groups + 1, sizeof(*w->depth_of));
	if (!w->first_child || !w->next_sibling || !w->sums || !w->depth_of)
		return -ENOMEM;
	memset(w->first_child, 0xff, n * sizeof(*w->first_child));
	for (size_t i = 0; i < n; i++)
		w->sums[i] = w->p->nodes[i].own;
	for (size_t i = n; i-- > 0;) {
		uint32_t parent = w->p->nodes[i].parent;

		if (parent == PROFILE_NONE)
			continue;
		w->next_sibling[i] = w->first_child[parent];
		w->first_child[parent] = (uint32_t)i;
		profile_counts_add(&w->sums[parent], &w->sums[i]);
	}
	return 0;
}

static uint32_t group(const struct walk *w, uint32_t node)
{
	uint32_t frame = w->p->nodes[node].frame;

	return frame == PROFILE_NONE ? PROFILE_NONE : w->group_of[frame];
}

static void enter(struct walk *w, uint32_t node)
{
	uint32_t g = group(w, node);

	if (g == PROFILE_NONE)
		return;
	profile_counts_add(&w->totals[g].own, &w->p->nodes[node].own);
	if (w->depth_of[g]++ == 0)
		profile_counts_add(&w->totals[g].total, &w->sums[node]);
}

static void leave(struct walk *w, uint32_t node)
{
	uint32_t g = group(w, node);

	if (g != PROFILE_NONE)
		w->depth_of[g]--;
}

static void walk_from(struct walk *w, uint32_t root)
{
	uint32_t node = root;

	for (;;) {
		enter(w, node);
		if (w->first_child[node] != PROFILE_NONE) {
			node = w->first_child[node];
			continue;
		}
		while (leave(w, node), node != root && w->next_sibling[node] == PROFILE_NONE)
			node = w->p->nodes[node].parent;
		if (node == root)
			return;
		node = w->next_sibling[node];
	}
}

int profile_totals(const struct profile *p, const uint32_t *group_of, size_t n_groups, struct profile_total *ret)
{
	_cleanup_(walk_deinit) struct walk w = {.p = p, .group_of = group_of, .totals = ret};
	int r;

	memset(ret, 0, n_groups * sizeof(*ret));
	r = walk_init(&w, n_groups);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->n_threads; i++)
		walk_from(&w, p->threads[i].root);
	return 0;
}

/* Lines of source files */

struct line_frame {
	const char *file;
	uint32_t line, frame;
};

static int compare_line_frames(const void *a, const void *b)
{
	const struct line_frame *x = a, *y = b;
	int r = strcmp(x->file, y->file);

	return r ? r : (x->line > y->line) - (x->line < y->line);
}

/* Frames of different functions may be of one line. */
static size_t group_lines(const struct profile *p, struct line_frame *all, uint32_t *group_of,
			  struct profile_source_line *lines)
{
	size_t n = 0, n_lines = 0;

	for (uint32_t i = 0; i < p->n_frames; i++) {
		const struct profile_line *f = &p->frames[i];

		group_of[i] = PROFILE_NONE;
		if (f->line && !p->functions[f->function].native)
			all[n++] = (struct line_frame){profile_function_file(p, f->function), f->line, i};
	}
	qsort(all, n, sizeof(*all), compare_line_frames);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || compare_line_frames(&all[i - 1], &all[i]))
			lines[n_lines++] = (struct profile_source_line){.file = all[i].file, .line = all[i].line};
		group_of[all[i].frame] = (uint32_t)(n_lines - 1);
	}
	return n_lines;
}

int profile_source_lines(const struct profile *p, struct profile_source_line **ret, size_t *n)
{
	_cleanup_free_ struct line_frame *all = calloc(p->n_frames + 1, sizeof(*all));
	_cleanup_free_ uint32_t *group_of = calloc(p->n_frames + 1, sizeof(*group_of));
	_cleanup_free_ struct profile_source_line *lines = calloc(p->n_frames + 1, sizeof(*lines));
	_cleanup_free_ struct profile_total *totals = NULL;
	size_t n_lines;
	int r;

	if (!all || !group_of || !lines)
		return -ENOMEM;
	n_lines = group_lines(p, all, group_of, lines);
	totals = calloc(n_lines + 1, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	r = profile_totals(p, group_of, n_lines, totals);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_lines; i++) {
		lines[i].own = totals[i].own;
		lines[i].total = totals[i].total;
	}
	*ret = take_ptr(lines);
	*n = n_lines;
	return 0;
}
