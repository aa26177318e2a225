#include "sample/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "attach/procfs.h"
#include "attach/stop.h"
#include "base/clock.h"
#include "base/log.h"
#include "sample/access.h"
#include "sample/async.h"
#include "sample/native_stack.h"
#include "sample/quiet.h"

#define SECOND UINT64_C(1000000000)
#define TARGETS_MAX 2000
#define RUNS_MAX 64
#define SHORTEST_SLEEP_NS UINT64_C(30000)
#define WITHOUT_ANY_NS UINT64_C(1000000) /* between looks, while there is nothing to sample */
#define STOP_TRIES 6
#define STOP_MOMENT_NS 20000
#define RATE_BESIDE_MAX 2000 /* so often at most the target may lose its CPU to us */
#define LATE_NS                                                                                                        \
	UINT64_C(2000000) /* how much later than asked for it may end: to wake up once more costs as much as a sample */

uint64_t sampler_now(void)
{
	return (uint64_t)clock_ns();
}

int sampler_init(struct sampler *s, const struct sampler_options *options, struct profile *profile)
{
	memset(s, 0, sizeof(*s));
	s->options = *options;
	s->profile = profile;
	s->descendants.children = options->subprocesses;
	runtimes_init(&s->runtimes);
	s->random = sampler_now() | 1;
	s->started_ns = s->last_ns = s->next_ns = s->due_ns = sampler_now();
	s->ids = malloc(PYSTACK_DEPTH_MAX * sizeof(*s->ids));
	return s->ids ? 0 : -ENOMEM;
}

void sampler_deinit(struct sampler *s)
{
	sampler_rest(s);
	for (size_t i = 0; i < s->n_targets; i++)
		target_free(s->targets[i]);
	for (size_t i = 0; i < s->n_runs; i++)
		run_deinit(&s->runs[i]);
	free(s->runs);
	free(s->targets);
	free(s->ids);
	free(s->cwd);
	descendants_deinit(&s->descendants);
	runtimes_deinit(&s->runtimes);
}

/* -------------------------------------------------------------------------------------------------- the processes */

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static int note_run(struct sampler *s, const struct target *t)
{
	struct run run, *runs;

	if (!s->options.runs || s->n_runs == RUNS_MAX)
		return 0;
	run_init(&run);
	run.hexversion = t->runtime.py->hexversion;
	run.library = t->runtime.path ? strdup(t->runtime.path) : NULL;
	run_note_process(&run, t->pid);
	for (size_t i = 0; i < s->n_runs; i++)
		if (same_text(s->runs[i].library, run.library) && same_text(s->runs[i].executable, run.executable)) {
			run_deinit(&run);
			return 0;
		}
	runs = realloc(s->runs, (s->n_runs + 1) * sizeof(*runs));
	if (!runs) {
		run_deinit(&run);
		return -ENOMEM;
	}
	s->runs = runs;
	s->runs[s->n_runs++] = run;
	return 0;
}

static int add_target(struct sampler *s, struct target *t)
{
	int r = note_run(s, t);

	if (r < 0)
		return r;
	if (s->n_targets == s->targets_room) {
		size_t room = s->targets_room ? 2 * s->targets_room : 16;
		struct target **targets = realloc(s->targets, room * sizeof(struct target *));

		if (!targets)
			return -ENOMEM;
		s->targets = targets;
		s->targets_room = room;
	}
	t->beside = s->options.rate <= RATE_BESIDE_MAX ? &s->beside : NULL;
	s->targets[s->n_targets++] = t;
	if (!s->was_python)
		s->cwd = procfs_cwd(t->pid);
	s->was_python = true;
	return 0;
}

static bool is_target(const struct sampler *s, pid_t pid)
{
	for (size_t i = 0; i < s->n_targets; i++)
		if (s->targets[i]->pid == pid)
			return true;
	return false;
}

static void drop_target(struct sampler *s, size_t i)
{
	target_free(s->targets[i]);
	s->targets[i] = s->targets[--s->n_targets];
}

int sampler_attach(struct sampler *s, pid_t pid, struct refusal *refusal)
{
	struct target *t = NULL;
	int r = access_target(&s->runtimes, pid, s->options.blocking || s->options.native, &t, refusal);

	if (r < 0)
		return r;
	s->root = pid;
	r = descendants_add(&s->descendants, pid);
	if (r == 0)
		r = add_target(s, t);
	if (r < 0)
		target_free(t);
	return r;
}

int sampler_follow(struct sampler *s, pid_t pid)
{
	s->root = s->child = s->descendants.own = pid;
	return descendants_add(&s->descendants, pid);
}

int sampler_add(struct sampler *s, pid_t pid)
{
	return descendants_add(&s->descendants, pid);
}

void sampler_drop(struct sampler *s, pid_t pid)
{
	for (size_t i = 0; i < s->n_targets; i++)
		if (s->targets[i]->pid == pid)
			drop_target(s, i--);
	descendants_drop(&s->descendants, pid);
}

/* Processes that are no Python (yet) and those that cannot be read are asked again, less and less often. */
static int look_into(struct sampler *s, struct descendant *item, uint64_t now)
{
	const char *reason = NULL;
	struct target *t;
	int r;

	if (now < item->next_ns || s->n_targets >= TARGETS_MAX || is_target(s, item->pid))
		return 0;
	r = target_new(&s->runtimes, item->pid, &t, &reason);
	if (r == 0) {
		item->wait_ns = 0;
		r = add_target(s, t);
		if (r < 0)
			target_free(t);
		return r;
	}
	if (r == -ENOTSUP && s->refusal.reason == REFUSAL_NONE)
		refusal_python(item->pid, reason, &s->refusal);
	else if (r == -EPERM && s->refusal.reason == REFUSAL_NONE)
		refusal_find(item->pid, REFUSAL_READ, &s->refusal);
	if (r == -EAGAIN && item->wait_ns > WITHOUT_ANY_NS)
		item->wait_ns = WITHOUT_ANY_NS; /* it is just about to begin */
	descendant_postpone(item, now);
	return r == -ENOMEM ? r : 0;
}

static int look_around(struct sampler *s, uint64_t now)
{
	int r = descendants_scan(&s->descendants, now);

	for (size_t i = 0; i < s->descendants.n && r == 0; i++)
		r = look_into(s, &s->descendants.items[i], now);
	return r;
}

static bool is_over(const struct sampler *s)
{
	if (!s->root)
		return false;
	return s->descendants.n == 0 || s->descendants.items[0].pid != s->root;
}

/* ---------------------------------------------------------------------------------------------------- the samples */

static unsigned int flags_of(const struct target *t, const struct target_thread *thread, enum thread_state state,
			     uint64_t futex)
{
	unsigned int flags = state == THREAD_RUNS ? PROFILE_ON_CPU : PROFILE_IDLE;

	if (futex && pythread_waits_for_gil(&thread->py, t->runtime.python.layout, futex))
		flags = PROFILE_GIL_WAIT;
	return thread->py.has_gil ? flags | PROFILE_GIL : flags;
}

static int add_sample(struct sampler *s, struct target *t, struct target_thread *thread, unsigned int flags,
		      const struct pystack *stack, uint64_t now, uint64_t weight)
{
	bool is_merged = s->n_ids; /* with compiled code */
	int r = 0;

	s->samples++;
	if (s->options.on_sample)
		r = s->options.on_sample(s->options.arg, t, stack);
	if (r < 0 || !s->profile)
		return r;
	for (size_t i = 0; i < stack->n && !is_merged; i++) {
		r = python_frame_id(s->profile, &stack->frames[i], &s->ids[i]);

		if (r < 0)
			return r;
		s->n_ids = i + 1;
	}
	return profile_add_ids(s->profile, t->pid, thread->watch.tid, thread->name, t->name, now, weight, flags, s->ids,
			       s->n_ids);
}

static int read_stopped_once(struct sampler *s, struct target *t, struct target_thread *thread)
{
	_cleanup_thread_stop_ struct thread_stop stop = {0};
	int r = thread_stop_begin(&stop, thread->watch.tid, thread->watch.tid == s->child);

	if (r == 0)
		r = target_read_stopped(t, thread);
	return r < 0 || !s->options.native ? r : native_stack_read(t, thread, s->profile, s->ids, &s->n_ids);
}

/* One that sleeps meanwhile stands as still as one that is stopped, and is not even woken. */
static bool read_asleep(struct target *t, struct target_thread *thread)
{
	return target_read_stopped(t, thread) == 0 && thread_watch_sleeps_on(&thread->watch);
}

/* Where it stands it may be making or leaving a frame: then it is let go on, for longer each time. */
static int read_stopped(struct sampler *s, struct target *t, struct target_thread *thread)
{
	struct timespec moment = {.tv_nsec = STOP_MOMENT_NS};
	int r = read_stopped_once(s, t, thread);

	for (int i = 1; i < STOP_TRIES && r == -EAGAIN; i++, moment.tv_nsec *= 4) {
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
		s->n_ids = 0;
		r = read_stopped_once(s, t, thread);
	}
	return r;
}

static int read_thread(struct sampler *s, struct target *t, struct target_thread *thread, enum thread_state state)
{
	s->n_ids = 0;
	if (s->options.blocking && !s->options.native && state == THREAD_WAITS && read_asleep(t, thread))
		return 0;
	if ((s->options.blocking || s->options.native) && thread->watch.tid)
		return read_stopped(s, t, thread);
	return target_read_stack(t, thread);
}

/* It has not run since the last time, when it waited. -ENOENT: what it did then is not in the profile. */
static int sample_sleeper(struct sampler *s, struct target *t, struct target_thread *thread, uint64_t now,
			  uint64_t weight)
{
	int r;

	if (!s->options.idle)
		return 0;
	if (!thread->is_counted)
		return -ENOENT;
	r = profile_add_again(s->profile, t->pid, thread->watch.tid, now, weight,
			      flags_of(t, thread, THREAD_WAITS, thread->watch.futex));
	s->samples += r == 0;
	return r;
}

static int sample_thread(struct sampler *s, struct target *t, struct target_thread *thread, uint64_t now,
			 uint64_t weight)
{
	enum thread_state state = THREAD_RUNS;
	const struct pystack *stack = &t->stack;
	uint64_t futex = 0;
	int r;

	if (s->options.gil && !thread->py.has_gil)
		return 0;
	if (thread_sleeps_on(thread)) {
		r = sample_sleeper(s, t, thread, now, weight);
		if (r != -ENOENT)
			return r;
	}
	thread->is_counted = false;
	if (thread->watch.tid)
		state = thread_watch_look(&thread->watch, &futex);
	if (state == THREAD_GONE || (state == THREAD_WAITS && !s->options.idle))
		return 0;
	r = read_thread(s, t, thread, state);
	if (r == 0 && s->options.async)
		r = async_stack(t, thread, now, &stack);
	if (r == 0) {
		r = stack->n ? add_sample(s, t, thread, flags_of(t, thread, state, futex), stack, now, weight) : 0;
		thread->is_counted = r == 0 && stack->n && stack == &t->stack && !s->options.on_sample;
		return r;
	}
	if (r == -EAGAIN) {
		s->torn++;
		return 0;
	}
	if (r == -ENOMEM)
		return r;
	s->unread++;
	return 0;
}

/* 1: it is not there any more. */
static int sample_target(struct sampler *s, struct target *t, uint64_t now, uint64_t weight)
{
	int r = target_list(t, now);

	if (r == -ESRCH || r == -EPERM || r == -ENOENT)
		return 1;
	if (r == -EAGAIN) {
		s->torn++;
		return 0;
	}
	if (r == 0)
		quiet_find(t, s->options.idle);
	for (size_t i = 0; i < t->n_threads && r == 0; i++)
		r = sample_thread(s, t, t->threads[i], now, weight);
	return r;
}

static int tick(struct sampler *s, uint64_t now)
{
	uint64_t weight = now - s->last_ns;
	int r;

	s->last_ns = now;
	for (size_t i = 0; i < s->n_targets;) {
		r = sample_target(s, s->targets[i], now, weight);
		if (r < 0)
			return r;
		if (r == 1) {
			drop_target(s, i);
			descendants_hurry(&s->descendants);
		} else {
			i++;
		}
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------------- the clock */

/* xorshift64: not for secrets. */
static uint64_t next_random(struct sampler *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/* On a grid, a little beside each of its points: what the target does in the same rhythm would be seen too often. */
static uint64_t next_tick(struct sampler *s, uint64_t now)
{
	uint64_t period = SECOND / s->options.rate, at;

	s->next_ns += period;
	if (s->next_ns + period < now) { /* behind: leave out what was missed */
		uint64_t missed = (now - s->next_ns) / period;

		s->late += missed;
		s->next_ns += missed * period;
	}
	at = s->next_ns + next_random(s) % (period / 4 + 1);
	return at;
}

/* To sleep for less than it takes to fall asleep and to wake up does not pay. */
static void sleep_until(uint64_t at, uint64_t now)
{
	struct timespec t = {(time_t)(at / SECOND), (long)(at % SECOND)};

	if (at > now + SHORTEST_SLEEP_NS)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	else
		while (sampler_now() < at)
			;
}

/* Sampled again after a while in which it was not: that time was not seen, and nobody spent it anywhere. */
static void resume(struct sampler *s, uint64_t now)
{
	uint64_t period = SECOND / s->options.rate;

	if (s->left_ns && now - s->left_ns < 2 * period + WITHOUT_ANY_NS)
		return;
	s->last_ns = s->next_ns = s->due_ns = now;
}

/* @now: of the look; afterwards it is later. */
static int look(struct sampler *s, uint64_t *now)
{
	int r = look_around(s, *now);

	beside_look(&s->beside, *now);
	if (r == 0 && is_over(s))
		return 1;
	if (r == 0 && s->n_targets)
		r = tick(s, *now);
	else
		s->last_ns = *now;
	*now = sampler_now();
	if (!s->n_targets)
		s->next_ns = *now + WITHOUT_ANY_NS;
	s->due_ns = s->n_targets ? next_tick(s, *now) : s->next_ns;
	return r;
}

/* Of this thread. Not earlier, as a command that is started would inherit it. */
static void be_punctual(struct sampler *s)
{
	if (s->is_punctual)
		return;
	s->is_punctual = true;
	prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
}

int sampler_run(struct sampler *s, uint64_t until_ns, const volatile int *stop)
{
	uint64_t now = sampler_now();
	int r = 0;

	be_punctual(s);
	resume(s, now);
	while (r == 0 && now < until_ns && !*stop) {
		if (now >= s->due_ns)
			r = look(s, &now);
		sleep_until(s->due_ns < until_ns + LATE_NS ? s->due_ns : until_ns, now);
		now = sampler_now();
	}
	s->left_ns = now;
	return r;
}

void sampler_rest(struct sampler *s)
{
	beside_leave(&s->beside);
}

int sampler_describe(const struct sampler *s, const char *what)
{
	struct timespec wall;
	uint64_t now = sampler_now();
	struct profile_info info = {
		.rate = s->options.rate,
		.started_ns = s->started_ns,
		.duration_ns = now - s->started_ns,
		.torn = s->torn,
		.unread = s->unread,
		.late = s->late,
		.what = what,
	};

	clock_gettime(CLOCK_REALTIME, &wall);
	info.started_unix_ns = (uint64_t)wall.tv_sec * SECOND + (uint64_t)wall.tv_nsec - info.duration_ns;
	return profile_set_info(s->profile, &info);
}
