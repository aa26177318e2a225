/**
 * Who ran each line of a file: the sets of contexts that occur, each kept once.
 *
 * A statement was run by whoever ran one of its lines.
 */
#pragma once

#include "base/cleanup.h"
#include "report/analysis.h"

struct line_contexts {
	const struct analysis *a;
	uint32_t *set_of; /* by first line of a statement: its set, plus 1; 0: none */
	uint32_t *count;  /* by set: how many contexts */
	uint32_t *lines;  /* by set: a line that has it */
	uint32_t n_sets;
};

/** -ENOMEM. All contexts of the file take part in it. */
int line_contexts_find(const struct analysis *a, struct line_contexts *ret) must_check;

/** True if context @p i of the file, an index of its `lines`, is in set @p set. */
bool line_contexts_has(const struct line_contexts *c, uint32_t set, size_t i);

void line_contexts_deinit(struct line_contexts *c);
#define _cleanup_line_contexts_ _cleanup_(line_contexts_deinit)
