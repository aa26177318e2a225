/**
 * The call nodes of a profile as a writer wants to see them: threads merged or apart, by line or by function, sorted.
 */
#pragma once

#include "sample/profile.h"

/** What is to be seen. */
struct profile_view {
	bool threads;	     /* a node for each thread below its process */
	bool functions;	     /* do not tell the lines of a function apart */
	bool full_filenames; /* as they are, not the short ones */
	const char *title;   /* NULL: what profile_info has */
	unsigned top;	     /* rows of a table; 0: as the writer likes */
};

enum calltree_kind {
	CALLTREE_ALL,	   /* the root */
	CALLTREE_NO_FRAME, /* a thread that ran no Python */
	CALLTREE_PROCESS,  /* only if there is more than one */
	CALLTREE_THREAD,
	CALLTREE_FRAME,
};

struct calltree_label {
	char *text; /* "name (file:line)", printable */
	enum calltree_kind kind;
	uint32_t id;   /* of the process, thread or frame (one of them, where they are by function) in the profile */
	uint32_t rank; /* among the texts, sorted */
};

struct calltree_node {
	uint32_t parent, first_child, next_sibling; /* PROFILE_NONE: there is none */
	uint32_t label;
	struct profile_counts own, total;
};

/** Node 0 is the root. Children have higher numbers than their parents; siblings are linked by rank. */
struct calltree {
	const struct profile *profile;
	struct calltree_node *nodes;
	uint32_t n_nodes;
	struct calltree_label *labels;
	uint32_t n_labels;
	const char **short_names; /* by function */
};

/** -ENOMEM. @p p must outlive the tree. Call calltree_deinit() in each case. */
int calltree_init(struct calltree *tree, const struct profile *p, const struct profile_view *view) must_check;
void calltree_deinit(struct calltree *tree);
#define _cleanup_calltree_ _cleanup_(calltree_deinit)

/** The node after @p node in a walk in depth of the tree below @p root, or PROFILE_NONE; *depth is that of the node. */
uint32_t calltree_next(const struct calltree *tree, uint32_t root, uint32_t node, unsigned *depth);

/** The same without what is below @p node. */
uint32_t calltree_skip(const struct calltree *tree, uint32_t root, uint32_t node, unsigned *depth);

/** What a frame is called; as snprintf(). @p short_names may be NULL. */
size_t frame_label(char *buf, size_t size, const struct profile *p, uint32_t frame, const char *const *short_names,
		   bool function_only);
/** The name of a thread with its number; of a process. */
size_t thread_label(char *buf, size_t size, const struct profile *p, uint32_t thread);
size_t process_label(char *buf, size_t size, const struct profile *p, uint32_t process);
