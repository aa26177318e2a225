#include "sample/native_stack.h"

#include <errno.h>
#include <string.h>

/* Of an interpreter whose handlers of instructions are functions that call each other last; a loop is larger. */
#define LOOP_OF_HANDLERS_MAX 16384

int python_frame_id(struct profile *profile, struct pyframe *frame, uint32_t *ret)
{
	struct pycode_line *line = frame->offset >= 0 ? pycode_find_line(frame->code, (uint32_t)frame->offset) : NULL;
	int32_t number = line ? line->line : frame->code->head.first_line;
	struct profile_frame f = {
		.function = frame->code->name,
		.file = frame->code->filename,
		.line = number > 0 ? (uint32_t)number : 0,
	};
	int r;

	if (line && line->tag) {
		*ret = line->tag - 1;
		return 0;
	}
	r = profile_frame_id(profile, &f, ret);
	if (r == 0 && line && *ret != UINT32_MAX)
		line->tag = *ret + 1;
	return r;
}

static int native_frame_id(struct profile *profile, struct native_symbol *symbol, uint32_t *ret)
{
	struct profile_frame f = {.function = symbol->function, .file = symbol->file, .flags = PROFILE_FRAME_NATIVE};
	int r = 0;

	if (!symbol->tag) {
		r = profile_frame_id(profile, &f, ret);
		if (r == 0 && *ret != UINT32_MAX)
			symbol->tag = *ret + 1;
		return r;
	}
	*ret = symbol->tag - 1;
	return 0;
}

/* The function that runs frames of Python; the compiler may have split it. */
static bool is_loop(const struct native_symbol *symbol)
{
	static const char name[] = "_PyEval_EvalFrameDefault";

	return symbol->function && !strncmp(symbol->function, name, sizeof(name) - 1) &&
	       (!symbol->function[sizeof(name) - 1] || symbol->function[sizeof(name) - 1] == '.');
}

struct merge {
	struct target *t;
	struct profile *profile;
	struct unwind_frame frames[UNWIND_DEPTH_MAX];
	struct native_symbol *symbols[UNWIND_DEPTH_MAX];
	size_t n_frames;
	bool is_whole;
	uint32_t *ids;
	size_t n;      /* of them, so far */
	size_t python; /* the next of its frames */
};

static int find_symbols(struct merge *m)
{
	for (size_t i = 0; i < m->n_frames; i++) {
		m->symbols[i] = native_symbol_find(m->t->native, m->frames[i].ip);
		if (!m->symbols[i])
			return -ENOMEM;
	}
	return 0;
}

static size_t count_loops(const struct merge *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_frames; i++)
		n += is_loop(m->symbols[i]);
	return n;
}

static size_t count_groups(const struct pystack *stack)
{
	size_t n = 0;

	for (size_t i = 0; i < stack->n; i++)
		n += stack->frames[i].is_entry;
	return n;
}

/*
 * By their names, in their order. The loop that begins or ends just now, which is the innermost frame of all, has its
 * frame of Python not yet, or not any more. If the numbers do not match, there is no telling.
 */
static void match_names(struct merge *m)
{
	struct pystack *stack = &m->t->stack;
	size_t loops = count_loops(m), groups = count_groups(stack), at = 0;
	size_t i = m->is_whole && loops == groups + 1 && is_loop(m->symbols[0]) ? 1 : 0;

	if (stack->is_cut || loops - i > groups || (m->is_whole && loops - i < groups))
		return;
	for (; i < m->n_frames; i++) {
		if (!is_loop(m->symbols[i]))
			continue;
		do
			stack->frames[at].loop = m->frames[i].sp;
		while (!stack->frames[at++].is_entry && at < stack->n);
	}
}

static bool has_loops(const struct pystack *stack)
{
	for (size_t i = 0; i < stack->n; i++)
		if (stack->frames[i].loop)
			return true;
	return false;
}

/* The end of the Python frames that native frame @i runs; the next one if there are none. */
static size_t python_end(const struct merge *m, size_t i)
{
	const struct pystack *stack = &m->t->stack;
	uint64_t from = m->frames[i].sp, to = i + 1 < m->n_frames ? m->frames[i + 1].sp : from + 1;
	size_t end = m->python;

	for (size_t at = m->python; at < stack->n; at++) {
		uint64_t loop = stack->frames[at].loop;

		if (loop >= to || (loop && loop < from))
			break;
		if (loop)
			end = at + 1;
	}
	return end;
}

static int add_python(struct merge *m, size_t end)
{
	int r = 0;

	while (r == 0 && m->python < end && m->n < PYSTACK_DEPTH_MAX)
		r = python_frame_id(m->profile, &m->t->stack.frames[m->python++], &m->ids[m->n++]);
	return r;
}

/* What native frame @i + 1, a loop, calls: where handlers are functions, one of them, which in a stripped file has no name. */
static bool is_handler(const struct merge *m, size_t i)
{
	static const char name[] = "_TAIL_CALL_";
	const struct native_symbol *symbol = m->symbols[i], *caller = i + 1 < m->n_frames ? m->symbols[i + 1] : NULL;

	if (symbol->function)
		return !strncmp(symbol->function, name, sizeof(name) - 1);
	return caller && is_loop(caller) && caller->size && caller->size <= LOOP_OF_HANDLERS_MAX &&
	       m->t->runtime.python.layout->may_have_handlers;
}

static int merge(struct merge *m)
{
	int r = 0;

	for (size_t i = 0; i < m->n_frames && m->n < PYSTACK_DEPTH_MAX && r == 0; i++) {
		size_t end = python_end(m, i);

		if (end > m->python)
			r = add_python(m, end);
		else if (!is_loop(m->symbols[i]) && !is_handler(m, i)) /* a loop without Python begins or ends */
			r = native_frame_id(m->profile, m->symbols[i], &m->ids[m->n++]);
	}
	/* Where no loop was recognised there is no telling what called what. Else, what was not followed to. */
	if (m->python == 0)
		m->n = 0;
	return r < 0 ? r : add_python(m, m->t->stack.n);
}

int native_stack_read(struct target *t, struct target_thread *thread, struct profile *profile, uint32_t *ids, size_t *n)
{
	struct merge m;
	int r = t->native ? 0 : native_new(t->pid, &t->native);

	m.t = t;
	m.profile = profile;
	m.ids = ids;
	m.n = m.python = 0;
	if (r == 0)
		r = native_unwind(t->native, thread->watch.tid, m.frames, &m.n_frames, &m.is_whole);
	if (r == 0)
		r = find_symbols(&m);
	if (r == 0)
		r = pystack_find_loops(&t->stack, &t->runtime.python, &thread->windows, &thread->py);
	if (r < 0)
		return r;
	if (!has_loops(&t->stack))
		match_names(&m);
	r = merge(&m);
	*n = m.n;
	return r;
}
