#include "sample/quiet.h"

#define NAPS 100
#define WORTH_IT 8 /* threads: with fewer each may be looked at */
#define TRIES 2

bool thread_sleeps_on(struct target_thread *thread)
{
	bool sleeps;

	if (thread->is_quiet)
		return true;
	sleeps = thread->watch.tid && thread_watch_sleeps_on(&thread->watch);
	thread->naps = !sleeps ? 0 : thread->naps < NAPS ? thread->naps + 1 : NAPS;
	return sleeps;
}

/* The thread that had the GIL last, if all share one; else NULL. Python may run in it under several thread states. */
static const struct target_thread *find_holder(const struct target *t)
{
	const struct target_thread *holder = NULL;

	for (size_t i = 0; i < t->n_threads; i++) {
		const struct pythread *py = &t->threads[i]->py;

		if (py->gil == 0 || py->gil != t->threads[0]->py.gil)
			return NULL;
		if (py->tstate == py->gil_holder)
			holder = t->threads[i];
	}
	return holder;
}

static bool may_be_quiet(struct target_thread *thread, const struct target_thread *holder, bool idle)
{
	bool is_same = thread->gil_switches == thread->py.gil_switches;

	thread->gil_switches = thread->py.gil_switches;
	return is_same && holder && thread->py.thread_id != holder->py.thread_id && thread->naps == NAPS &&
	       (!idle || thread->is_counted);
}

static void wake_all(struct target *t)
{
	for (size_t i = 0; i < t->n_threads; i++)
		t->threads[i]->is_quiet = false;
}

/* Of those that are looked at. The first time, to know them; the second, whether they are what they were. */
static bool add_cpu(struct target *t, bool again, uint64_t *sum_ns)
{
	for (size_t i = 0; i < t->n_threads; i++) {
		struct target_thread *thread = t->threads[i];
		uint64_t before = thread->cpu_ns;

		if (!thread->is_quiet && thread->watch.tid && !thread_watch_cpu(&thread->watch, &thread->cpu_ns))
			return false;
		if (thread->is_quiet)
			thread->cpu_ns = thread->watch.cpu_ns;
		if (again && thread->cpu_ns != before)
			return false;
		*sum_ns += again ? 0 : thread->cpu_ns;
	}
	return true;
}

/* CPU time that no thread had which is looked at, nor a quiet one until it was last looked at. */
static bool get_other(struct target *t, uint64_t *ret_ns)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t sum = 0, all;

		if (!add_cpu(t, false, &sum) || !process_cpu(t->pid, &all))
			return false;
		if (add_cpu(t, true, &sum)) {
			*ret_ns = all - sum;
			return true;
		}
	}
	return false;
}

void quiet_find(struct target *t, bool idle)
{
	const struct target_thread *holder = find_holder(t);
	uint64_t before = t->other_ns;
	size_t n = 0;

	for (size_t i = 0; i < t->n_threads; i++)
		n += t->threads[i]->is_quiet = may_be_quiet(t->threads[i], holder, idle);
	/* The others are asked twice. */
	if (n < WORTH_IT || n < 2 * (t->n_threads - n) || !get_other(t, &t->other_ns) || t->other_ns != before)
		wake_all(t);
}
