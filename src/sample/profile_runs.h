/** The order of a profile's samples: runs of the same stack, thread by thread, made coarser as they become too many. */
#pragma once

#include "sample/profile.h"

struct profile_runs {
	uint64_t random;
	uint64_t span_ns; /* how coarse they are made */
};

void profile_runs_init(struct profile_runs *runs);

/** One more of @p t, which is of @p p; others are merged to make room for it. -ENOMEM. */
int profile_runs_add(struct profile *p, struct profile_runs *runs, struct profile_thread *t,
		     struct profile_run run) must_check;
