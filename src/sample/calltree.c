#include "sample/calltree.h"

#include "base/id_table.h"
#include "base/printable.h"
#include "sample/profile_totals.h"
#include "sample/short_name.h"

#include <string.h>

/* Labels */

#define LABEL_MAX 8192

size_t frame_label(char *buf, size_t size, const struct profile *p, uint32_t frame, const char *const *short_names,
		   bool function_only)
{
	const struct profile_line *line = &p->frames[frame];
	const char *name = profile_function_name(p, line->function);
	const char *file = short_names ? short_names[line->function] : profile_function_file(p, line->function);
	char text[LABEL_MAX + 512];

	if (function_only || line->line == 0)
		snprintf(text, sizeof(text), "%.4096s (%.4096s)", name, file);
	else
		snprintf(text, sizeof(text), "%.4096s (%.4096s:%u)", name, file, line->line);
	return printable(buf, size, text);
}

size_t thread_label(char *buf, size_t size, const struct profile *p, uint32_t thread)
{
	const struct profile_thread *t = &p->threads[thread];
	const char *name = p->strings[t->name];
	char text[LABEL_MAX];

	if (t->tid == 0)
		snprintf(text, sizeof(text), "other threads");
	else if (*name)
		snprintf(text, sizeof(text), "thread %d (%.4096s)", (int)t->tid, name);
	else
		snprintf(text, sizeof(text), "thread %d", (int)t->tid);
	return printable(buf, size, text);
}

size_t process_label(char *buf, size_t size, const struct profile *p, uint32_t process)
{
	const struct profile_process *o = &p->processes[process];
	const char *name = p->strings[o->name];
	char text[LABEL_MAX];

	if (o->pid == 0)
		snprintf(text, sizeof(text), "other processes");
	else if (*name)
		snprintf(text, sizeof(text), "process %d (%.4096s)", (int)o->pid, name);
	else
		snprintf(text, sizeof(text), "process %d", (int)o->pid);
	return printable(buf, size, text);
}

/* Labels 0 and 1 are those of no object; then come the processes, the threads, and the frames or functions. */
enum { LABEL_ALL, LABEL_NO_FRAME, LABEL_FIRST };

static uint32_t label_of_thread(const struct profile *p, uint32_t thread)
{
	return LABEL_FIRST + p->n_processes + thread;
}

static uint32_t label_of_frame(const struct profile *p, const struct profile_view *view, uint32_t frame)
{
	return LABEL_FIRST + p->n_processes + p->n_threads + (view->functions ? p->frames[frame].function : frame);
}

static size_t label_text(const struct calltree *tree, const struct profile_view *view,
			 const struct calltree_label *label, char *buf, size_t size)
{
	const struct profile *p = tree->profile;

	switch (label->kind) {
	case CALLTREE_PROCESS:
		return process_label(buf, size, p, label->id);
	case CALLTREE_THREAD:
		return thread_label(buf, size, p, label->id);
	case CALLTREE_FRAME:
		return frame_label(buf, size, p, label->id, view->full_filenames ? NULL : tree->short_names,
				   view->functions);
	case CALLTREE_NO_FRAME:
		return printable(buf, size, "(no Python frame)");
	default:
		return printable(buf, size, "all");
	}
}

static void labels_number(struct calltree *tree, const struct profile_view *view)
{
	const struct profile *p = tree->profile;

	tree->labels[LABEL_ALL].kind = CALLTREE_ALL;
	tree->labels[LABEL_NO_FRAME].kind = CALLTREE_NO_FRAME;
	for (uint32_t i = 0; i < p->n_processes; i++)
		tree->labels[LABEL_FIRST + i] = (struct calltree_label){.kind = CALLTREE_PROCESS, .id = i};
	for (uint32_t i = 0; i < p->n_threads; i++)
		tree->labels[label_of_thread(p, i)] = (struct calltree_label){.kind = CALLTREE_THREAD, .id = i};
	for (uint32_t i = p->n_frames; i-- > 0;)
		tree->labels[label_of_frame(p, view, i)] = (struct calltree_label){.kind = CALLTREE_FRAME, .id = i};
}

static int compare_labels(const void *a, const void *b)
{
	const struct calltree_label *x = *(struct calltree_label *const *)a, *y = *(struct calltree_label *const *)b;
	int r = strcmp(x->text, y->text);

	return r ? r : (x > y) - (x < y);
}

static int labels_sort(struct calltree *tree)
{
	_cleanup_free_ struct calltree_label **sorted = calloc(tree->n_labels, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->n_labels; i++)
		sorted[i] = &tree->labels[i];
	qsort(sorted, tree->n_labels, sizeof(*sorted), compare_labels);
	for (uint32_t i = 0; i < tree->n_labels; i++)
		sorted[i]->rank = i;
	return 0;
}

static int labels_init(struct calltree *tree, const struct profile_view *view)
{
	const struct profile *p = tree->profile;
	uint32_t n = LABEL_FIRST + p->n_processes + p->n_threads + (view->functions ? p->n_functions : p->n_frames);

	tree->labels = calloc(n, sizeof(*tree->labels));
	if (!tree->labels)
		return -ENOMEM;
	tree->n_labels = n;
	labels_number(tree, view);
	for (uint32_t i = 0; i < n; i++) {
		char text[LABEL_MAX * 4];

		label_text(tree, view, &tree->labels[i], text, sizeof(text));
		tree->labels[i].text = strdup(text);
		if (!tree->labels[i].text)
			return -ENOMEM;
	}
	return labels_sort(tree);
}

/* Nodes */

struct build {
	struct calltree *tree;
	struct id_table table;
	struct hash_key key;
	uint32_t *node_of; /* by node of the profile */
	uint32_t allocated;
};

static void build_deinit(struct build *b)
{
	id_table_deinit(&b->table);
	free(b->node_of);
}

static bool node_matches(const void *context, uint32_t id, const void *key)
{
	const struct calltree *tree = context;
	const uint32_t *words = key;

	return tree->nodes[id].parent == words[0] && tree->nodes[id].label == words[1];
}

static int node_add(struct build *b, uint32_t parent, uint32_t label, uint32_t *ret)
{
	struct calltree *tree = b->tree;

	if (tree->n_nodes == b->allocated) {
		uint32_t n = b->allocated ? b->allocated * 2 : 64;
		struct calltree_node *nodes = reallocarray(tree->nodes, n, sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		tree->nodes = nodes;
		b->allocated = n;
	}
	*ret = tree->n_nodes++;
	tree->nodes[*ret] = (struct calltree_node){
		.parent = parent, .label = label, .first_child = PROFILE_NONE, .next_sibling = PROFILE_NONE};
	return 0;
}

static int child(struct build *b, uint32_t parent, uint32_t label, uint32_t *ret)
{
	const uint32_t words[] = {parent, label};
	uint32_t hash = (uint32_t)hash_bytes(&b->key, words, sizeof(words));
	int r;

	*ret = id_table_find(&b->table, hash, node_matches, b->tree, words);
	if (*ret != ID_NONE)
		return 0;
	r = id_table_reserve(&b->table);
	if (r == 0)
		r = node_add(b, parent, label, ret);
	if (r == 0)
		id_table_add(&b->table, hash, *ret);
	return r;
}

static int thread_root(struct build *b, const struct profile_view *view, uint32_t thread, uint32_t *ret)
{
	const struct profile *p = b->tree->profile;
	int r = 0;

	*ret = 0;
	if (p->n_processes > 1)
		r = child(b, *ret, LABEL_FIRST + p->threads[thread].process, ret);
	if (r == 0 && view->threads)
		r = child(b, *ret, label_of_thread(p, thread), ret);
	return r;
}

static int nodes_merge(struct build *b, const struct profile_view *view)
{
	const struct profile *p = b->tree->profile;
	int r;

	for (uint32_t i = 0; i < p->n_threads; i++) {
		r = thread_root(b, view, i, &b->node_of[p->threads[i].root]);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		const struct profile_node *n = &p->nodes[i];
		uint32_t node;

		r = 0;
		if (n->parent != PROFILE_NONE)
			r = child(b, b->node_of[n->parent], label_of_frame(p, view, n->frame), &b->node_of[i]);
		node = b->node_of[i];
		if (r == 0 && n->parent == PROFILE_NONE && n->own.samples)
			r = child(b, node, LABEL_NO_FRAME, &node);
		if (r < 0)
			return r;
		profile_counts_add(&b->tree->nodes[node].own, &n->own);
	}
	return 0;
}

struct order {
	uint32_t parent, rank, node;
};

static int compare_order(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	return x->parent != y->parent ? (x->parent > y->parent) - (x->parent < y->parent)
				      : (x->rank > y->rank) - (x->rank < y->rank);
}

static int nodes_link(struct calltree *tree)
{
	_cleanup_free_ struct order *order = calloc(tree->n_nodes, sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = tree->n_nodes; i-- > 0;) {
		struct calltree_node *n = &tree->nodes[i];

		order[i] = (struct order){n->parent, tree->labels[n->label].rank, i};
		profile_counts_add(&n->total, &n->own);
		if (n->parent != PROFILE_NONE)
			profile_counts_add(&tree->nodes[n->parent].total, &n->total);
	}
	qsort(order, tree->n_nodes, sizeof(*order), compare_order);
	for (uint32_t i = tree->n_nodes; i-- > 0;) {
		struct calltree_node *parent;

		if (order[i].parent == PROFILE_NONE)
			continue;
		parent = &tree->nodes[order[i].parent];
		tree->nodes[order[i].node].next_sibling = parent->first_child;
		parent->first_child = order[i].node;
	}
	return 0;
}

int calltree_init(struct calltree *tree, const struct profile *p, const struct profile_view *view)
{
	_cleanup_(build_deinit) struct build b = {.tree = tree};
	uint32_t root;
	int r;

	*tree = (struct calltree){.profile = p};
	tree->short_names = short_names_new(p);
	b.node_of = calloc(p->n_nodes + 1, sizeof(*b.node_of));
	if (!tree->short_names || !b.node_of)
		return -ENOMEM;
	hash_key_init(&b.key);
	r = labels_init(tree, view);
	if (r == 0)
		r = node_add(&b, PROFILE_NONE, LABEL_ALL, &root);
	if (r == 0)
		r = nodes_merge(&b, view);
	return r < 0 ? r : nodes_link(tree);
}

void calltree_deinit(struct calltree *tree)
{
	for (uint32_t i = 0; i < tree->n_labels; i++)
		free(tree->labels[i].text);
	free(tree->labels);
	free(tree->nodes);
	free(tree->short_names);
	*tree = (struct calltree){0};
}

uint32_t calltree_skip(const struct calltree *tree, uint32_t root, uint32_t node, unsigned *depth)
{
	while (node != root && tree->nodes[node].next_sibling == PROFILE_NONE) {
		node = tree->nodes[node].parent;
		--*depth;
	}
	return node == root ? PROFILE_NONE : tree->nodes[node].next_sibling;
}

uint32_t calltree_next(const struct calltree *tree, uint32_t root, uint32_t node, unsigned *depth)
{
	if (tree->nodes[node].first_child == PROFILE_NONE)
		return calltree_skip(tree, root, node, depth);
	++*depth;
	return tree->nodes[node].first_child;
}
