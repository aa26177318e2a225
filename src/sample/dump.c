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
#include "symbols/pyvalue.h"

#define TRIES 20
#define PAUSE_NS 2000000
#define VALUE_CHARS 256

struct dump {
	const struct dump_options *options;
	struct target *target;
	bool has_thread; /* one was written */
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

static const char *state_word(enum thread_state state)
{
	return state == THREAD_RUNS ? "active" : "idle";
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

static void put_thread(const struct dump *d, const struct target *t, const struct target_thread *thread, enum thread_state state)
{
	printf("\nThread %d (%s%s)", thread->watch.tid, state_word(state), thread->py.has_gil ? "+gil" : "");
	if (thread->py.interpreter)
		printf(" of interpreter %lld", (long long)thread->py.interpreter);
	if (*thread->name) {
		printf(": \"");
		put_text(thread->name);
		putchar('"');
	}
	putchar('\n');
	for (size_t i = 0; i < t->stack.n; i++) {
		const struct pyframe *frame = &t->stack.frames[i];

		printf("    ");
		put_text(frame->code->name);
		printf(" (");
		put_text(frame->code->filename);
		printf(":%u)\n", pyframe_line(frame));
		if (d->options->locals)
			put_locals(t, frame, false);
	}
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

static void put_json_thread(const struct dump *d, const struct target *t, const struct target_thread *thread, enum thread_state state,
			    bool is_first)
{
	printf("%s\n  {\"tid\": %d, \"name\": ", is_first ? "" : ",", thread->watch.tid);
	put_json(thread->name);
	printf(", \"interpreter\": %lld, \"active\": %s, \"gil\": %s, \"cut\": %s, \"frames\": [",
	       (long long)thread->py.interpreter, state == THREAD_RUNS ? "true" : "false",
	       thread->py.has_gil ? "true" : "false", t->stack.is_cut ? "true" : "false");
	for (size_t i = 0; i < t->stack.n; i++) {
		const struct pyframe *frame = &t->stack.frames[i];

		printf("%s\n    {\"function\": ", i ? "," : "");
		put_json(frame->code->name);
		printf(", \"file\": ");
		put_json(frame->code->filename);
		printf(", \"line\": %u", pyframe_line(frame));
		if (d->options->locals)
			put_locals(t, frame, true);
		printf("}");
	}
	printf("]}");
}

/* ------------------------------------------------------------------------------------------------------------- both */

static void take_a_break(void)
{
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

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

static int dump_thread(struct dump *d, struct target_thread *thread)
{
	struct target *t = d->target;
	enum thread_state state = thread->watch.tid ? thread_watch_state(&thread->watch) : THREAD_WAITS;
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
		put_json_thread(d, t, thread, state, !d->has_thread);
	else
		put_thread(d, t, thread, state);
	d->has_thread = true;
	return 0;
}

static int dump_threads(struct dump *d)
{
	struct target *t = d->target;
	int r = list(t);

	if (r < 0)
		return r;
	if (d->options->json)
		put_json_head(t);
	else
		put_head(t);
	for (size_t i = 0; i < t->n_threads && r == 0; i++)
		r = dump_thread(d, t->threads[i]);
	if (d->options->json)
		printf("]}\n");
	return r;
}

int dump(pid_t pid, const struct dump_options *options, struct refusal *refusal)
{
	_cleanup_(runtimes_deinit) struct runtimes runtimes;
	_cleanup_target_ struct target *target = NULL;
	struct dump d = {.options = options};
	int r;

	runtimes_init(&runtimes);
	r = access_target(&runtimes, pid, options->blocking, &target, refusal);
	if (r < 0)
		return r;
	d.target = target;
	r = dump_threads(&d);
	if (r < 0 && !refusal_find(pid, REFUSAL_READ, refusal))
		refusal_python(pid, r == -ENOENT ? "no interpreter is left in it" : "its memory makes no sense", refusal);
	return r;
}
