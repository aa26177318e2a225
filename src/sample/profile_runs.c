#include "sample/profile_runs.h"

void profile_runs_init(struct profile_runs *runs)
{
	runs->random = 0x9e3779b97f4a7c15;
	runs->span_ns = 1000000;
}

static uint64_t random_next(struct profile_runs *runs)
{
	runs->random ^= runs->random << 13;
	runs->random ^= runs->random >> 7;
	runs->random ^= runs->random << 17;
	return runs->random;
}

/* One of two neighbours stays, with the time of both: by lot, so that in sum each stack keeps its share. */
static struct profile_run merge_two(struct profile_runs *runs, struct profile_run a, struct profile_run b)
{
	uint64_t sum = a.weight_ns + b.weight_ns;
	bool first = sum == 0 || random_next(runs) % sum < a.weight_ns;

	return (struct profile_run){.time_ns = a.time_ns,
				    .weight_ns = sum,
				    .node = first ? a.node : b.node,
				    .samples = a.samples + b.samples};
}

/* Merge neighbours as long as what comes of them spans no more than runs->span_ns. */
static void merge_thread(struct profile *p, struct profile_runs *runs, struct profile_thread *t)
{
	size_t to = 0;

	for (size_t i = 1; i < t->n_runs; i++) {
		struct profile_run *into = &t->runs[to], *run = &t->runs[i];

		if (run->time_ns + run->weight_ns - into->time_ns <= runs->span_ns)
			*into = merge_two(runs, *into, *run);
		else
			t->runs[++to] = *run;
	}
	to += t->n_runs > 0;
	p->lost.merged += t->n_runs - to;
	p->n_runs -= t->n_runs - to;
	t->n_runs = to;
}

/*
 * What came since the last time is made as coarse as what was there before; only when that does not make enough room,
 * all of it is made coarser.
 */
static void merge_all(struct profile *p, struct profile_runs *runs)
{
	for (;;) {
		for (uint32_t i = 0; i < p->n_threads; i++)
			merge_thread(p, runs, &p->threads[i]);
		if (p->n_runs <= p->options.max_runs / 4 * 3 || runs->span_ns > UINT64_MAX / 2)
			return;
		runs->span_ns *= 2;
	}
}

static bool run_extend(struct profile_thread *t, const struct profile_run *run)
{
	struct profile_run *last = t->n_runs ? &t->runs[t->n_runs - 1] : NULL;

	if (!last || last->node != run->node || last->samples == UINT32_MAX ||
	    run->time_ns > last->time_ns + last->weight_ns + run->weight_ns)
		return false;
	last->weight_ns += run->weight_ns;
	last->samples++;
	return true;
}

int profile_runs_add(struct profile *p, struct profile_runs *runs, struct profile_thread *t, struct profile_run run)
{
	if (run_extend(t, &run))
		return 0;
	if (p->n_runs >= p->options.max_runs)
		merge_all(p, runs);
	if (p->n_runs >= p->options.max_runs) {
		p->lost.merged++;
		return 0;
	}
	if (t->n_runs == t->runs_allocated) {
		size_t n = t->runs_allocated ? t->runs_allocated * 2 : 16;
		struct profile_run *grown = reallocarray(t->runs, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		t->runs = grown;
		t->runs_allocated = n;
	}
	if (t->n_runs && run.time_ns < t->runs[t->n_runs - 1].time_ns)
		run.time_ns = t->runs[t->n_runs - 1].time_ns; /* the clock went back: it should not */
	t->runs[t->n_runs++] = run;
	p->n_runs++;
	return 0;
}
