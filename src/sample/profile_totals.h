/** Own and total counts of functions, of frames, of lines: of whatever groups frames are put into. */
#pragma once

#include "sample/profile.h"

struct profile_total {
	struct profile_counts own;   /* innermost */
	struct profile_counts total; /* anywhere in the stack, a recursive one once */
};

/**
 * Sum up by group: @p group_of gives the group of each frame of @p p, below @p n_groups or PROFILE_NONE (in none).
 * @p ret has room for @p n_groups. -ENOMEM.
 */
int profile_totals(const struct profile *p, const uint32_t *group_of, size_t n_groups,
		   struct profile_total *ret) must_check;

/** Add @p b to @p a. */
void profile_counts_add(struct profile_counts *a, const struct profile_counts *b);
