#include "sample/dump.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "attach/procfs.h"
#include "attach/stop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "sample/access.h"
#include "sample/async.h"
#include "symbols/pyvalue.h"

#define TRIES 20
#define PAUSE_NS 2000000
#define VALUE_CHARS 256

/* A task that a thread runs, and how many of the frames of that are its own. */
struct running {
	uint64_t task;
	pid_t tid;
	struct pyframe *frames; /* outermost first */
	size_t n;
};

struct dump {
	const struct dump_options *options;
	struct target *target;
	bool has_thread; /* one was written */
	struct running *running;
	size_t n_running;
	uint64_t *tasks; /* of all interpreters */
	size_t n_tasks, tasks_room;
};

/* ------------------------------------------------------------------------------------------------- hostile strings */

/* Bytes that are not UTF-8, and what a terminal would take for a command, as \xNN. */
static void put_text(const char *text)
{
	uint32_t c;

	while (*text) {
		size_t n = utf8_decode(text, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			printf("\\x%02x", (unsigned char)*text++);
			continue;
		}
		fwrite(text, 1, n, stdout);
		text += n;
	}
}

static void put_json(const char *text)
{
	uint32_t c;

	putchar('"');
	while (*text) {
		size_t n = utf8_decode(text, &c);

		if (n == 0) {
			printf("\\udc%02x", (unsigned char)*text++); /* as Python's surrogateescape */
			continue;
		}
		if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
			printf("\\u%04x", c);
		else
			fwrite(text, 1, n, stdout);
		text += n;
	}
	putchar('"');
}

/* --------------------------------------------------------------------------------------------------------- the text */

static void put_head(const struct target *t)
{
	char command[4096], version[CPYTHON_VERSION_SIZE];

	procfs_cmdline(t->pid, command, sizeof(command));
	printf("Process %d: ", t->pid);
	put_text(command);
	printf("\nPython v%s (", cpython_version_format(t->runtime.py->hexversion, version));
	put_text(t->runtime.path ? t->runtime.path : "?");
	printf(")\n");
}

/* What a thread does, as far as it can be told from outside. */
struct doing {
	enum thread_state state;
	bool waits_for_gil;
};

static const char *state_word(const struct doing *doing)
{
	return doing->state == THREAD_RUNS ? "active" : doing->waits_for_gil ? "waiting for the GIL" : "idle";
}

/* The local variables of a frame, as they come: arguments first. */
struct locals_writer {
	const struct target *target;
	bool json, has_any;
	int section; /* 0: none yet, 1: arguments, 2: the others */
};

static char *value_text(const struct target *t, uint64_t value)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	pyvalue_write(&t->reader, &t->runtime.python, value, VALUE_CHARS, out);
	fclose(out);
	return text;
}

static void put_local(void *arg, const struct pylocal *local)
{
	struct locals_writer *w = arg;
	_cleanup_free_ char *text = value_text(w->target, local->value);
	int section = local->is_argument ? 1 : 2;

	if (w->json) {
		printf("%s{\"name\": ", w->has_any ? ", " : "");
		put_json(local->name);
		printf(", \"argument\": %s, \"repr\": ", local->is_argument ? "true" : "false");
		put_json(text ? text : "?");
		printf("}");
	} else {
		if (section != w->section)
			printf("        %s:\n", local->is_argument ? "Arguments" : "Locals");
		printf("            ");
		put_text(local->name);
		printf(": ");
		put_text(text ? text : "?");
		putchar('\n');
	}
	w->section = section;
	w->has_any = true;
}

static void put_locals(const struct target *t, const struct pyframe *frame, bool json)
{
	struct locals_writer w = {.target = t, .json = json};

	if (json)
		printf(", \"locals\": [");
	if (pylocals_each(&t->reader, &t->runtime.python, frame, put_local, &w) < 0 && !json)
		printf("        (its local variables cannot be read: it has gone on)\n");
	if (json)
		printf("]");
}

static void put_frame(const struct dump *d, const struct pyframe *frame)
{
	printf("    ");
	put_text(frame->code->name);
	printf(" (");
	put_text(frame->code->filename);
	printf(":%u)\n", pyframe_line(frame));
	if (d->options->locals)
		put_locals(d->target, frame, false);
}

static void put_thread(const struct dump *d, const struct target *t, const struct target_thread *thread,
		       const struct doing *doing)
{
	printf("\nThread %d (%s%s)", thread->watch.tid, state_word(doing), thread->py.has_gil ? "+gil" : "");
	if (thread->py.interpreter)
		printf(" of interpreter %lld", (long long)thread->py.interpreter);
	if (*thread->name) {
		printf(": \"");
		put_text(thread->name);
		putchar('"');
	}
	putchar('\n');
	for (size_t i = 0; i < t->stack.n; i++)
		put_frame(d, &t->stack.frames[i]);
	if (t->stack.is_cut)
		printf("    ...\n");
}

/* --------------------------------------------------------------------------------------------------------- the JSON */

static void put_json_head(const struct target *t)
{
	char command[4096], version[CPYTHON_VERSION_SIZE];

	procfs_cmdline(t->pid, command, sizeof(command));
	printf("{\"pid\": %d, \"command\": ", t->pid);
	put_json(command);
	printf(", \"python\": \"%s\", \"image\": ", cpython_version_format(t->runtime.py->hexversion, version));
	put_json(t->runtime.path ? t->runtime.path : "?");
	printf(", \"threads\": [");
}

static void put_json_frame(const struct dump *d, const struct pyframe *frame, bool is_first)
{
	printf("%s\n    {\"function\": ", is_first ? "" : ",");
	put_json(frame->code->name);
	printf(", \"file\": ");
	put_json(frame->code->filename);
	printf(", \"line\": %u", pyframe_line(frame));
	if (d->options->locals)
		put_locals(d->target, frame, true);
	printf("}");
}

static void put_json_thread(const struct dump *d, const struct target *t, const struct target_thread *thread,
			    const struct doing *doing, bool is_first)
{
	printf("%s\n  {\"tid\": %d, \"name\": ", is_first ? "" : ",", thread->watch.tid);
	put_json(thread->name);
	printf(", \"interpreter\": %lld, \"active\": %s, \"gil\": %s, \"gil_wait\": %s, \"cut\": %s, \"frames\": [",
	       (long long)thread->py.interpreter, doing->state == THREAD_RUNS ? "true" : "false",
	       thread->py.has_gil ? "true" : "false", doing->waits_for_gil ? "true" : "false",
	       t->stack.is_cut ? "true" : "false");
	for (size_t i = 0; i < t->stack.n; i++)
		put_json_frame(d, &t->stack.frames[i], i == 0);
	printf("]}");
}

/* -------------------------------------------------------------------------------------------------------- the tasks */

static void take_a_break(void)
{
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* Before its stack is another one's: the part of it that is a task's. */
static int note_running(struct dump *d, const struct target_thread *thread)
{
	struct target *t = d->target;
	struct running *running, *new;
	uint64_t task;
	size_t place;
	int r = pyasync_running(&t->async->py, &thread->py, &t->stack, &task, &place);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	running = realloc(d->running, (d->n_running + 1) * sizeof(*running));
	if (!running)
		return -ENOMEM;
	d->running = running;
	new = &running[d->n_running];
	*new = (struct running){task, thread->watch.tid, malloc((place + 1) * sizeof(*new->frames)), place + 1};
	if (!new->frames)
		return -ENOMEM;
	for (size_t i = 0; i <= place; i++)
		new->frames[i] = t->stack.frames[place - i];
	d->n_running++;
	return 0;
}

static int note_task(void *arg, uint64_t task)
{
	struct dump *d = arg;

	if (d->n_tasks == d->tasks_room) {
		size_t room = d->tasks_room ? 2 * d->tasks_room : 64;
		uint64_t *tasks = realloc(d->tasks, room * sizeof(*tasks));

		if (!tasks)
			return -ENOMEM;
		d->tasks = tasks;
		d->tasks_room = room;
	}
	d->tasks[d->n_tasks++] = task;
	return 0;
}

static int list_tasks(struct dump *d)
{
	const struct pythreads *threads = &d->target->list;
	int r = 0;

	for (size_t i = 0; i < threads->n && r == 0; i++) {
		size_t first = 0;

		while (threads->threads[first].interp != threads->threads[i].interp)
			first++;
		if (first < i)
			continue;
		for (int k = 0; k < TRIES; k++) {
			size_t before = d->n_tasks;

			r = pyasync_each_task(&d->target->async->py, threads, threads->threads[i].interp, note_task, d);
			if (r != -EAGAIN)
				break;
			d->n_tasks = before;
			take_a_break();
		}
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

static const struct running *find_running(const struct dump *d, uint64_t task)
{
	for (size_t i = 0; i < d->n_running; i++)
		if (d->running[i].task == task)
			return &d->running[i];
	return NULL;
}

/* What it waits for, as text: a task by its name. */
static char *awaited_text(struct dump *d, const struct pychain *chain)
{
	struct target *t = d->target;
	struct pytask other;
	char *text = NULL;

	if (chain->kind == PYAWAITABLE_TASK && pyasync_task(&t->async->py, chain->awaited, &other) == 0)
		return asprintf(&text, "task \"%s\"", other.name) < 0 ? NULL : text;
	return chain->awaited ? value_text(t, chain->awaited) : NULL;
}

struct task_view {
	struct pytask task;
	const struct running *running; /* or NULL */
	const struct pyframe *frames;  /* n, outermost first */
	size_t n;
	char *awaited; /* or NULL */
	uint64_t awaiters[16];
	int n_awaiters;
};

static void put_task(struct dump *d, const struct task_view *v)
{
	struct pytask other;

	printf("\nTask \"");
	put_text(v->task.name);
	printf(v->running   ? "\" runs in thread %d"
	       : v->awaited ? "\" waits for "
			    : "\" is to run",
	       v->running ? v->running->tid : 0);
	if (v->awaited)
		put_text(v->awaited);
	putchar('\n');
	for (size_t i = v->n; i-- > 0;)
		put_frame(d, &v->frames[i]);
	for (int i = 0; i < v->n_awaiters; i++) {
		if (pyasync_task(&d->target->async->py, v->awaiters[i], &other) < 0)
			continue;
		printf("    awaited by \"");
		put_text(other.name);
		printf("\"\n");
	}
}

static void put_json_task(struct dump *d, const struct task_view *v, bool is_first)
{
	struct pytask other;
	bool has_any = false;

	printf("%s\n  {\"name\": ", is_first ? "" : ",");
	put_json(v->task.name);
	if (v->running)
		printf(", \"tid\": %d", v->running->tid);
	printf(", \"awaits\": ");
	if (v->awaited)
		put_json(v->awaited);
	else
		printf("null");
	printf(", \"awaited_by\": [");
	for (int i = 0; i < v->n_awaiters; i++) {
		if (pyasync_task(&d->target->async->py, v->awaiters[i], &other) < 0)
			continue;
		printf("%s", has_any ? ", " : "");
		put_json(other.name);
		has_any = true;
	}
	printf("], \"frames\": [");
	for (size_t i = v->n; i-- > 0;)
		put_json_frame(d, &v->frames[i], i + 1 == v->n);
	printf("]}");
}

/* 1: there is nothing to be said of it; it has ended. */
static int look_at_task(struct dump *d, uint64_t addr, struct task_view *v)
{
	struct target *t = d->target;
	int r = pyasync_task(&t->async->py, addr, &v->task);

	if (r < 0 || !v->task.coro)
		return r == -ESRCH || r == -EPERM || r == -ENOMEM ? r : 1;
	v->running = find_running(d, addr);
	if (v->running) {
		v->frames = v->running->frames;
		v->n = v->running->n;
	} else {
		r = async_chain(t->async, t, v->task.coro);
		if (r < 0)
			return r == -EAGAIN ? 1 : r;
		v->frames = t->async->chain.frames;
		v->n = t->async->chain.n;
		if (!v->n)
			return 1;
		v->awaited = awaited_text(d, &t->async->chain);
	}
	v->n_awaiters = pyasync_awaiters(&t->async->py, addr, v->awaiters, ARRAY_SIZE(v->awaiters));
	return 0;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int dump_tasks(struct dump *d)
{
	bool has_any = false;
	int r = d->target->async ? list_tasks(d) : 0;

	if (d->n_tasks)
		qsort(d->tasks, d->n_tasks, sizeof(*d->tasks), by_address);
	for (size_t i = 0; i < d->n_tasks && r >= 0; i++) {
		struct task_view v = {.n = 0};

		if (i && d->tasks[i] == d->tasks[i - 1])
			continue;
		r = look_at_task(d, d->tasks[i], &v);
		if (r == 0 && d->options->json)
			put_json_task(d, &v, !has_any);
		else if (r == 0)
			put_task(d, &v);
		has_any |= r == 0;
		free(v.awaited);
	}
	if (!has_any && r >= 0 && !d->options->json)
		printf("\nNo tasks of asyncio\n");
	return r < 0 ? r : 0;
}

static int begin_tasks(struct dump *d)
{
	int r = async_new(d->target, &d->target->async);

	if (r == 0)
		r = async_refresh(d->target->async, d->target, clock_ns());
	if (r == -ENOENT) {
		async_free(d->target->async);
		d->target->async = NULL;
	}
	return r == -ENOENT ? 0 : r;
}

static void dump_deinit(struct dump *d)
{
	for (size_t i = 0; i < d->n_running; i++)
		free(d->running[i].frames);
	free(d->running);
	free(d->tasks);
}

/* ------------------------------------------------------------------------------------------------------------- both */

/* A thread may be too busy to be caught in one of the first tries. */
static int read_stack(struct target *t, struct target_thread *thread)
{
	int r = target_read_stack(t, thread);

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		take_a_break();
		r = target_read_stack(t, thread);
	}
	return r;
}

static int list(struct target *t)
{
	int r = target_list(t, clock_ns());

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		take_a_break();
		r = target_list(t, clock_ns());
	}
	return r;
}

static int read_thread(struct dump *d, struct target_thread *thread, struct thread_stop *stop)
{
	int r;

	if (!d->options->blocking || !thread->watch.tid)
		return read_stack(d->target, thread);
	r = thread_stop_begin(stop, thread->watch.tid, false);
	return r < 0 ? r : target_read_stopped(d->target, thread);
}

static struct doing look_at(const struct target *t, struct target_thread *thread)
{
	struct doing doing = {THREAD_WAITS, false};
	uint64_t futex = 0;

	if (thread->watch.tid)
		doing.state = thread_watch_look(&thread->watch, &futex);
	doing.waits_for_gil = futex && pythread_waits_for_gil(&thread->py, t->runtime.python.layout, futex);
	return doing;
}

static int dump_thread(struct dump *d, struct target_thread *thread)
{
	struct target *t = d->target;
	struct doing doing = look_at(t, thread);
	_cleanup_thread_stop_ struct thread_stop stop = {0};
	int r = read_thread(d, thread, &stop);

	if (r == -EAGAIN || r == -ETIMEDOUT) {
		log_warning("thread %d %s", thread->watch.tid,
			    r == -EAGAIN ? "changed too fast to be read: try --blocking" : "could not be stopped");
		return 0;
	}
	if (r < 0)
		return r;
	if (d->options->json)
		put_json_thread(d, t, thread, &doing, !d->has_thread);
	else
		put_thread(d, t, thread, &doing);
	d->has_thread = true;
	return t->async ? note_running(d, thread) : 0;
}

static int dump_threads(struct dump *d)
{
	struct target *t = d->target;
	int r = list(t);

	if (r == 0 && d->options->async)
		r = begin_tasks(d);
	if (r < 0)
		return r;
	if (d->options->json)
		put_json_head(t);
	else
		put_head(t);
	for (size_t i = 0; i < t->n_threads && r == 0; i++)
		r = dump_thread(d, t->threads[i]);
	if (d->options->json)
		printf(d->options->async ? "], \"tasks\": [" : "]");
	if (r == 0 && d->options->async)
		r = dump_tasks(d);
	if (d->options->json)
		printf(d->options->async ? "]}\n" : "}\n");
	return r;
}

int dump(pid_t pid, const struct dump_options *options, struct refusal *refusal)
{
	_cleanup_(runtimes_deinit) struct runtimes runtimes;
	_cleanup_target_ struct target *target = NULL;
	_cleanup_(dump_deinit) struct dump d = {.options = options};
	struct beside beside = {0};
	int r;

	runtimes_init(&runtimes);
	r = access_target(&runtimes, pid, options->blocking, &target, refusal);
	if (r < 0)
		return r;
	d.target = target;
	target->beside = &beside;
	r = dump_threads(&d);
	if (r < 0 && !refusal_find(pid, REFUSAL_READ, refusal))
		refusal_python(pid, r == -ENOENT ? "no interpreter is left in it" : "its memory makes no sense",
			       refusal);
	return r;
}
