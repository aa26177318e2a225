#include "sample/target.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "attach/procfs.h"
#include "base/clock.h"
#include "sample/async.h"

#define LIST_TRIES 5
#define STACK_TRIES 100
#define STACK_TRIES_MIN 20 /* however long they take */
#define STACK_TRIES_AWAY 3 /* before we go where it runs, if we may */
#define MOMENT_NS 20000
#define STACK_TRIES_NS INT64_C(2000000)
#define NAME_TTL_NS UINT64_C(1000000000)

static void thread_free(struct target_thread *thread)
{
	if (!thread)
		return;
	thread_watch_close(&thread->watch);
	mem_windows_deinit(&thread->windows);
	for (size_t i = 0; i < ARRAY_SIZE(thread->checks); i++)
		mem_windows_deinit(&thread->checks[i]);
	free(thread);
}

void target_free(struct target *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_threads; i++)
		thread_free(t->threads[i]);
	free(t->threads);
	pythreads_deinit(&t->list);
	mem_windows_deinit(&t->windows);
	pycodes_deinit(&t->codes);
	pystack_deinit(&t->stack);
	native_free(t->native);
	async_free(t->async);
	runtime_deinit(&t->runtime);
	remote_close(&t->remote);
	free(t);
}

int target_new(struct runtimes *runtimes, pid_t pid, struct target **ret, const char **reason)
{
	_cleanup_target_ struct target *t = calloc(1, sizeof(*t));
	struct procfs_status status;
	int r;

	if (!t)
		return -ENOMEM;
	t->pid = pid;
	t->remote.mem_fd = -1;
	pycodes_init(&t->codes);
	r = remote_open_readonly(&t->remote, pid);
	if (r == 0)
		r = procfs_status(pid, &status);
	if (r == 0)
		r = runtime_find(runtimes, &t->remote, &t->runtime, reason);
	if (r == 0)
		r = pystack_init(&t->stack);
	if (r < 0)
		return r;
	snprintf(t->name, sizeof(t->name), "%s", status.name);
	t->reader = remote_reader(&t->remote);
	t->windows.reader = &t->reader;
	t->same_pid_namespace = procfs_same_namespace(getpid(), pid, "pid");
	*ret = take_ptr(t);
	return 0;
}

/* ------------------------------------------------------------------------------------------- threads and their tids */

struct tid_search {
	pid_t pid, inner, found;
};

static int match_tid(pid_t tid, void *arg)
{
	struct tid_search *s = arg;

	if (thread_inner_tid(s->pid, tid) != s->inner)
		return 0;
	s->found = tid;
	return 1;
}

/* Thread @inner, as the process numbers it, in our numbers; 0: there is none. */
static pid_t outer_tid(const struct target *t, uint64_t inner)
{
	struct tid_search s = {.pid = t->pid, .inner = (pid_t)inner};

	if (inner == 0 || inner > INT32_MAX)
		return 0;
	if (t->same_pid_namespace)
		return (pid_t)inner;
	return threads_each(t->pid, match_tid, &s) == 1 ? s.found : 0;
}

static int count_tid(pid_t tid, void *arg)
{
	pid_t *only = arg;

	*only = *only ? -1 : tid;
	return 0;
}

static pid_t only_tid(const struct target *t)
{
	pid_t only = 0;

	return threads_each(t->pid, count_tid, &only) == 0 && only > 0 ? only : 0;
}

static bool watch(const struct target *t, struct target_thread *thread, pid_t tid)
{
	return tid && thread_watch_open(&thread->watch, t->pid, tid) == 0;
}

/* Where a C library keeps the tid in what pthread_t points to: glibc since 2.4 (nptl/descr.h), musl (pthread_impl.h). */
static const unsigned int pthread_tid_offsets[] = {720, 48};

static bool watch_by_pthread(const struct target *t, struct target_thread *thread)
{
	for (size_t i = 0; i < ARRAY_SIZE(pthread_tid_offsets); i++) {
		int32_t tid;

		if (remote_read(&t->remote, thread->py.thread_id + pthread_tid_offsets[i], &tid, sizeof(tid)) == 0 &&
		    tid > 0 && watch(t, thread, outer_tid(t, (uint64_t)tid)))
			return true;
	}
	return false;
}

static void find_tid(const struct target *t, struct target_thread *thread)
{
	thread->watch = (struct thread_watch){.fd = -1};
	if (thread->py.native_id ? watch(t, thread, outer_tid(t, thread->py.native_id)) : watch_by_pthread(t, thread))
		return;
	if (t->list.n == 1 && watch(t, thread, only_tid(t)))
		return;
	thread->watch = (struct thread_watch){.fd = -1};
}

static struct target_thread *thread_new(const struct target *t, const struct pythread *py)
{
	struct target_thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->py = *py;
	thread->windows.reader = thread->checks[0].reader = thread->checks[1].reader = &t->reader;
	find_tid(t, thread);
	return thread;
}

static bool is_same(const struct pythread *a, const struct pythread *b)
{
	return a->tstate == b->tstate && a->thread_id == b->thread_id && a->native_id == b->native_id;
}

/* The thread @py among those of the last look, most likely the one at the same place. */
static struct target_thread *take_known(struct target *t, const struct pythread *py, size_t place)
{
	for (size_t i = 0; i < t->n_threads; i++) {
		size_t at = (place + i) % t->n_threads;
		struct target_thread *thread = t->threads[at];

		if (thread && is_same(&thread->py, py)) {
			thread->py = *py;
			t->threads[at] = NULL;
			return thread;
		}
	}
	return NULL;
}

static bool nothing_changed(const struct target *t)
{
	if (t->list.n != t->n_threads)
		return false;
	for (size_t i = 0; i < t->n_threads; i++)
		if (!is_same(&t->threads[i]->py, &t->list.threads[i]))
			return false;
	return true;
}

/* A thread that has not set its tid yet, or one whose tid was another's, is looked up anew. */
static void refresh(struct target *t, struct target_thread *thread, uint64_t now_ns)
{
	if (thread->named_ns && now_ns - thread->named_ns < NAME_TTL_NS)
		return;
	thread->named_ns = now_ns;
	if (!thread->watch.tid)
		find_tid(t, thread);
	if (thread->watch.tid)
		thread_name(t->pid, thread->watch.tid, thread->name);
}

static int match_threads(struct target *t)
{
	struct target_thread **threads;

	if (nothing_changed(t)) {
		for (size_t i = 0; i < t->n_threads; i++)
			t->threads[i]->py = t->list.threads[i];
		return 0;
	}
	threads = calloc(t->list.n + 1, sizeof(struct target_thread *));
	for (size_t i = 0; threads && i < t->list.n; i++) {
		threads[i] = take_known(t, &t->list.threads[i], i);
		if (!threads[i])
			threads[i] = thread_new(t, &t->list.threads[i]);
		if (!threads[i]) {
			while (i)
				thread_free(threads[--i]);
			free(threads);
			threads = NULL;
		}
	}
	t->last = NULL;
	t->is_ahead = false;
	for (size_t i = 0; i < t->n_threads; i++)
		thread_free(t->threads[i]);
	free(t->threads);
	t->threads = threads;
	t->n_threads = threads ? t->list.n : 0;
	return threads ? 0 : -ENOMEM;
}

/* Where one thread alone was read the last time, it will be read again: its stack comes along. */
static int begin_list(struct target *t)
{
	struct target_thread *last = t->last;

	t->is_ahead = last && t->n_read == 1;
	t->n_read = 0;
	if (!t->is_ahead)
		return mem_windows_begin(&t->windows);
	return mem_windows_begin_all(
		(struct mem_windows *[]){&t->windows, &last->windows, &last->checks[0], &last->checks[1]}, 4);
}

int target_list(struct target *t, uint64_t now_ns)
{
	int r = -EAGAIN;

	pycodes_sweep(&t->codes);
	for (int i = 0; i < LIST_TRIES && r == -EAGAIN; i++) {
		r = begin_list(t);
		if (r == 0)
			r = pythreads_get(&t->list, &t->runtime.python, &t->windows);
	}
	if (r == 0)
		r = match_threads(t);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n_threads; i++)
		refresh(t, t->threads[i], now_ns);
	return 0;
}

/* ----------------------------------------------------------------------------------------------------- the stacks */

static int walk(struct target *t, struct target_thread *thread)
{
	return pystack_walk(&t->stack, &t->runtime.python, &t->codes, &thread->windows, &thread->py);
}

static int begin(struct target *t, struct target_thread *thread)
{
	if (t->is_ahead && t->last == thread) {
		t->is_ahead = false;
		return 0;
	}
	return mem_windows_begin_all((struct mem_windows *[]){&thread->windows, &thread->checks[0], &thread->checks[1]},
				     3);
}

/* @again: what is in the windows is older than what it shall be held against. */
static int check(struct target *t, struct target_thread *thread, bool again)
{
	int r = !again ? 0 : mem_windows_begin_all((struct mem_windows *[]){&thread->checks[0], &thread->checks[1]}, 2);

	for (size_t look = 0; look < ARRAY_SIZE(thread->checks) && r >= 0; look++) {
		r = pystack_check(&t->stack, &t->runtime.python, &t->codes, &thread->checks[look], &thread->py);
		if (r == 0)
			r = -EAGAIN;
	}
	return r < 0 ? r : 0;
}

int target_read_stopped(struct target *t, struct target_thread *thread)
{
	int r = -EAGAIN;

	t->last = NULL;
	/* What is torn now was torn when it stopped, but for what was known of code objects. */
	for (int i = 0; i < 2 && r == -EAGAIN; i++) {
		r = mem_windows_begin(&thread->windows);
		if (r == 0)
			r = walk(t, thread);
		if (r == 0)
			r = pystack_confirm(&t->runtime.python, &t->codes, &thread->windows, &thread->py);
	}
	return r;
}

/*
 * What moves while it is read keeps still if we take its CPU meanwhile. If we had that already, the thread was caught
 * while it makes or leaves a frame, and has to be let go on.
 */
static void come_closer(struct target *t, const struct target_thread *thread, int tries)
{
	const struct timespec moment = {.tv_nsec = MOMENT_NS};

	if (!t->beside || !thread->watch.tid || tries % STACK_TRIES_AWAY != 0)
		return;
	if (beside_join(t->beside, thread->watch.tid, (uint64_t)clock_ns()) == BESIDE_WAS_THERE)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
}

/*
 * Looks that see the same: the first one saw one moment. Two may be deceived alike, in a loop that comes round meanwhile:
 * one in a thousand was, of a program that does nothing but make short calls. The memory for all three is read by one
 * call, in their order; the other two are read anew if the first had to look elsewhere.
 */
int target_read_stack(struct target *t, struct target_thread *thread)
{
	int64_t start = clock_ns();
	int r = -EAGAIN;

	for (int i = 0; i < STACK_TRIES; i++) {
		if (i >= STACK_TRIES_MIN && clock_ns() - start > STACK_TRIES_NS)
			break;
		r = begin(t, thread);
		if (r == 0)
			r = walk(t, thread);
		if (r == 0)
			r = check(t, thread, thread->windows.misses > 0);
		if (r != -EAGAIN)
			break;
		come_closer(t, thread, i + 1);
	}
	if (r < 0)
		return r;
	t->last = thread;
	t->n_read++;
	return 0;
}
