#include "symbols/pyasync_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/pydict.h"
#include "symbols/pytext.h"
#include "symbols/pyvalue.h"

#define BASES_MAX 16
#define SHIFT_MAX 64
#define TASKS_MAX 200000
#define LOOPS_MAX 64
#define NAME_CHARS 60
#define WEAKREF_OBJECT 16
#define SET_MASK 32
#define SET_TABLE 40
#define SET_ENTRY 16
#define SET_CHUNK 64
#define POINTER_TAG ((uint64_t)3)
#define OPCODE_YIELD_FROM 72 /* 3.8 - 3.10 */
#define RESUME_DELEGATES 2   /* argument of RESUME: 2 behind a `yield from`, 3 behind an `await` */

void pyasync_init(struct pyasync *a, const struct mem_reader *reader, const struct pyruntime *python)
{
	memset(a, 0, sizeof(*a));
	a->reader = reader;
	a->python = python;
	a->layout = *python->layout;
}

void pyasync_forget(struct pyasync *a)
{
	memset(a->types, 0, sizeof(a->types));
	a->n_modules = 0;
}

int pyasync_u64(const struct pyasync *a, uint64_t addr, uint64_t *ret)
{
	return addr & 7 ? -EFAULT : mem_read_u64(a->reader, addr, ret);
}

/* ---- types ---- */

void pyasync_type_name(const struct pyasync *a, uint64_t type, char name[PYASYNC_TYPE_NAME_MAX])
{
	uint64_t text;
	size_t n = 0, part;

	memset(name, 0, PYASYNC_TYPE_NAME_MAX);
	if (pyasync_u64(a, pyasync_at(type, a->layout.type.tp_name), &text) < 0)
		return;
	/* A name near the end of its page is read as far as that, first. */
	while (n < PYASYNC_TYPE_NAME_MAX - 1 && !memchr(name, '\0', n)) {
		part = 4096 - ((text + n) & 4095);
		part = part < PYASYNC_TYPE_NAME_MAX - 1 - n ? part : PYASYNC_TYPE_NAME_MAX - 1 - n;
		if (mem_read(a->reader, text + n, name + n, part) < 0) {
			memset(name + n, 0, part);
			return;
		}
		n += part;
	}
}

static bool is_wrapper(const char *name)
{
	static const char *const names[] = {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow",
					    "_asyncio.FutureIter", "anext_awaitable"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(name, names[i]))
			return true;
	}
	return false;
}

/** A task of a patch release that has a field more or less in front of what we read; newer ones say it themselves. */
static enum pyawaitable check_task(struct pyasync *a, uint64_t type)
{
	uint64_t size;
	int64_t shift;

	if (pyasync_u64(a, pyasync_at(type, a->layout.type.tp_basicsize), &size) < 0)
		return PYAWAITABLE_NONE;
	shift = (int64_t)size - a->layout.task.size;
	if (shift < -SHIFT_MAX || shift > SHIFT_MAX || shift % 8 || (shift && a->layout.task.node >= 0))
		return PYAWAITABLE_OTHER;
	a->shift = (int32_t)shift;
	return PYAWAITABLE_TASK;
}

static enum pyawaitable classify(struct pyasync *a, uint64_t type)
{
	const uint64_t *types = a->python->types;
	char name[PYASYNC_TYPE_NAME_MAX];

	if (type == types[PYTYPE_PyCoro_Type] || type == types[PYTYPE_PyGen_Type] ||
	    type == types[PYTYPE_PyAsyncGen_Type])
		return PYAWAITABLE_FRAME;
	pyasync_type_name(a, type, name);
	if (is_wrapper(name))
		return PYAWAITABLE_WRAPPER;
	for (int i = 0; i < BASES_MAX && type; i++) {
		if (!strcmp(name, "_asyncio.Task"))
			return check_task(a, type);
		if (!strcmp(name, "_asyncio.Future"))
			return PYAWAITABLE_FUTURE;
		if (pyasync_u64(a, pyasync_at(type, a->layout.type.tp_base), &type) < 0)
			return PYAWAITABLE_NONE;
		pyasync_type_name(a, type, name);
	}
	return PYAWAITABLE_OTHER;
}

enum pyawaitable pyasync_kind(struct pyasync *a, uint64_t object)
{
	uint64_t type;
	size_t slot;

	if (!object || pyasync_u64(a, pyasync_at(object, a->layout.object.ob_type), &type) < 0 || !type || type & 7)
		return PYAWAITABLE_NONE;
	slot = (size_t)(type >> 4) % PYASYNC_TYPES_MAX;
	if (a->types[slot].type != type) {
		a->types[slot].kind = classify(a, type);
		a->types[slot].type = type;
	}
	return a->types[slot].kind;
}

/* ---- tasks ---- */

/** "Task-7" is a number as long as nobody has asked for it (3.12 and later). */
static int read_name(const struct pyasync *a, uint64_t object, char name[PYASYNC_NAME_MAX])
{
	_cleanup_free_ char *text = NULL;
	uint64_t type;
	FILE *out;
	int r = pyasync_u64(a, pyasync_at(object, a->layout.object.ob_type), &type);

	if (r < 0)
		return r;
	if (type == a->python->types[PYTYPE_PyUnicode_Type]) {
		r = pytext_read(a->reader, &a->layout, object, NAME_CHARS, &text);
		snprintf(name, PYASYNC_NAME_MAX, "%s", r < 0 ? "?" : text);
		return r;
	}
	memset(name, 0, PYASYNC_NAME_MAX);
	out = fmemopen(name, PYASYNC_NAME_MAX - 1, "w");
	if (!out)
		return -ENOMEM;
	if (type == a->python->types[PYTYPE_PyLong_Type])
		fputs("Task-", out);
	pyvalue_write(a->reader, a->python, object, NAME_CHARS, out);
	fclose(out);
	return 0;
}

static int read_field(const struct pyasync *a, uint64_t task, int32_t offset, uint64_t *ret)
{
	return pyasync_u64(a, pyasync_at(task, offset + a->shift), ret);
}

int pyasync_task(struct pyasync *a, uint64_t addr, struct pytask *ret)
{
	uint64_t name;
	int r;

	ret->addr = addr;
	if (pyasync_kind(a, addr) != PYAWAITABLE_TASK)
		return -EBADMSG;
	r = read_field(a, addr, a->layout.task.coro, &ret->coro);
	if (r == 0)
		r = read_field(a, addr, a->layout.task.name, &name);
	if (r == 0)
		r = read_name(a, name, ret->name);
	if (r == 0 && ret->coro == a->python->none)
		ret->coro = 0;
	return r;
}

/* ---- before 3.14: what asyncio.tasks has ---- */

static void find_object(const struct pyasync *a, const struct pydict *dict, const char *name, uint64_t *ret)
{
	if (pydict_find(a->reader, &a->layout, dict, name, ret) < 0)
		*ret = 0;
}

/** The set of references that a WeakSet has. */
static void find_weak_set(const struct pyasync *a, const struct pydict *dict, const char *name, uint64_t *ret)
{
	struct pydict attributes;

	find_object(a, dict, name, ret);
	if (*ret && pydict_open_instance(a->reader, &a->layout, *ret, &attributes) == 0)
		find_object(a, &attributes, "data", ret);
	else
		*ret = 0;
}

static int find_module(const struct pyasync *a, struct pyasync_module *m)
{
	const struct layout *l = &a->layout;
	uint64_t modules, module, names;
	struct pydict dict;
	int r = pyasync_u64(a, pyasync_at(m->interp, l->interp.modules), &modules);

	if (r == 0 && !modules)
		return -ENOENT;
	if (r == 0)
		r = pydict_open(a->reader, l, modules, &dict);
	if (r == 0)
		r = pydict_find(a->reader, l, &dict, "asyncio.tasks", &module);
	if (r == 0)
		r = pyasync_u64(a, pyasync_at(module, l->module.md_dict), &names);
	if (r == 0)
		r = pydict_open(a->reader, l, names, &dict);
	if (r < 0)
		return r;
	find_weak_set(a, &dict, "_all_tasks", &m->scheduled);
	if (!m->scheduled)
		find_weak_set(a, &dict, "_scheduled_tasks", &m->scheduled);
	find_object(a, &dict, "_eager_tasks", &m->eager);
	find_object(a, &dict, "_current_tasks", &m->current);
	/* While it is being imported, not all is there. */
	return m->scheduled && m->current ? 0 : -ENOENT;
}

static int get_module(struct pyasync *a, uint64_t interp, const struct pyasync_module **ret)
{
	struct pyasync_module m = {.interp = interp};
	int r;

	for (size_t i = 0; i < a->n_modules; i++) {
		if (a->modules[i].interp == interp) {
			*ret = &a->modules[i];
			return 0;
		}
	}
	r = find_module(a, &m);
	if (r < 0)
		return r;
	if (a->n_modules == PYASYNC_INTERPRETERS_MAX)
		a->n_modules = 0;
	a->modules[a->n_modules] = m;
	*ret = &a->modules[a->n_modules++];
	return 0;
}

int pyasync_each_in_set(const struct pyasync *a, uint64_t set, bool weak, int (*fn)(void *arg, uint64_t object),
			void *arg)
{
	uint64_t mask, table, chunk[SET_CHUNK][2], object;
	int r = pyasync_u64(a, set + SET_MASK, &mask);

	if (r == 0)
		r = pyasync_u64(a, set + SET_TABLE, &table);
	if (r == 0 && mask >= 4 * TASKS_MAX)
		return -EBADMSG;
	for (uint64_t i = 0; r == 0 && i <= mask; i++) {
		if (i % SET_CHUNK == 0)
			r = mem_read(a->reader, table + i * SET_ENTRY, chunk,
				     SET_ENTRY * (mask + 1 - i < SET_CHUNK ? mask + 1 - i : SET_CHUNK));
		object = r == 0 ? chunk[i % SET_CHUNK][0] : 0;
		if (!object || chunk[i % SET_CHUNK][1] == UINT64_MAX)
			continue;
		if (weak && pyasync_u64(a, object + WEAKREF_OBJECT, &object) < 0)
			continue;
		r = fn(arg, object);
	}
	return r;
}

/* ---- from 3.14 on: lists ---- */

static int each_in_list(const struct pyasync *a, uint64_t head, int (*fn)(void *arg, uint64_t task), void *arg)
{
	uint64_t node;
	int r = pyasync_u64(a, head, &node);

	for (unsigned int n = 0; r == 0 && node && node != head; n++) {
		if (n == TASKS_MAX)
			return -EAGAIN;
		r = fn(arg, node - (uint64_t)a->layout.task.node);
		if (r == 0)
			r = pyasync_u64(a, node, &node);
	}
	return r;
}

static int each_listed(const struct pyasync *a, const struct pythreads *threads, uint64_t interp,
		       int (*fn)(void *arg, uint64_t task), void *arg)
{
	int r = each_in_list(a, pyasync_at(interp, a->layout.task.interp_head), fn, arg);

	for (size_t i = 0; i < threads->n && r == 0; i++) {
		if (threads->threads[i].interp == interp)
			r = each_in_list(a, pyasync_at(threads->threads[i].tstate, a->layout.task.head), fn, arg);
	}
	return r;
}

int pyasync_each_task(struct pyasync *a, const struct pythreads *threads, uint64_t interp,
		      int (*fn)(void *arg, uint64_t task), void *arg)
{
	const struct pyasync_module *m;
	int r;

	if (a->layout.task.node >= 0) {
		r = each_listed(a, threads, interp, fn, arg);
		return r < 0 ? pyasync_again(r) : 0;
	}
	r = get_module(a, interp, &m);
	if (r < 0)
		return r == -ENOENT ? r : pyasync_again(r);
	r = pyasync_each_in_set(a, m->scheduled, true, fn, arg);
	if (r == 0 && m->eager)
		r = pyasync_each_in_set(a, m->eager, false, fn, arg);
	return r < 0 ? pyasync_again(r) : 0;
}

/* ---- the task that a thread runs ---- */

static int frame_of(const struct pyasync *a, uint64_t object, uint64_t *ret)
{
	if (a->layout.gen.gi_iframe < 0)
		return pyasync_u64(a, pyasync_at(object, a->layout.gen.gi_frame), ret);
	*ret = pyasync_at(object, a->layout.gen.gi_iframe);
	return 0;
}

static bool is_in_stack(struct pyasync *a, uint64_t task, const struct pystack *stack, size_t *place)
{
	uint64_t coro, frame;

	if (pyasync_kind(a, task) != PYAWAITABLE_TASK || read_field(a, task, a->layout.task.coro, &coro) < 0 ||
	    pyasync_kind(a, coro) != PYAWAITABLE_FRAME || frame_of(a, coro, &frame) < 0)
		return false;
	for (size_t i = 0; i < stack->n; i++) {
		if (stack->frames[i].addr == frame) {
			*place = i;
			return true;
		}
	}
	return false;
}

int pyasync_running(struct pyasync *a, const struct pythread *thread, const struct pystack *stack, uint64_t *task,
		    size_t *frame)
{
	const struct pyasync_module *m;
	struct pydict loops;
	uint64_t pair[2];
	int r;

	if (a->layout.task.running >= 0) {
		r = pyasync_u64(a, pyasync_at(thread->tstate, a->layout.task.running), task);
		return r < 0 ? pyasync_again(r) : is_in_stack(a, *task, stack, frame) ? 0 : -ENOENT;
	}
	r = get_module(a, thread->interp, &m);
	if (r == 0)
		r = pydict_open(a->reader, &a->layout, m->current, &loops);
	for (uint64_t i = 0; r == 0 && i < loops.n && i < LOOPS_MAX; i++) {
		r = pydict_get(a->reader, &loops, i, pair);
		*task = pair[1];
		if (r == 0 && is_in_stack(a, *task, stack, frame))
			return 0;
	}
	return r < 0 && r != -ENOENT ? pyasync_again(r) : -ENOENT;
}

/* ---- chains ---- */

/** Does the suspended generator @p object, at @p frame, wait for what lies on top of its stack? */
static bool is_delegating(const struct pyasync *a, uint64_t object, const struct pyframe *frame)
{
	const struct layout *l = &a->layout;
	uint8_t next[2];
	uint64_t code;
	int8_t state;

	switch (l->delegation) {
	case LAYOUT_DELEGATION_STATE:
		return mem_read(a->reader, pyasync_at(object, l->gen.gi_frame_state), &state, 1) == 0 &&
		       state == l->gen_delegating;
	case LAYOUT_DELEGATION_RESUME:
		return frame->offset >= 0 &&
		       mem_read(a->reader,
				pyasync_at(frame->code->addr, l->code.co_code_adaptive) + (uint64_t)frame->offset + 2,
				next, 2) == 0 &&
		       next[1] >= RESUME_DELEGATES;
	case LAYOUT_DELEGATION_YIELD_FROM:
		return frame->offset >= 0 &&
		       pyasync_u64(a, pyasync_at(frame->code->addr, l->code.co_code), &code) == 0 &&
		       mem_read(a->reader, pyasync_at(code, l->bytes.ob_sval) + (uint64_t)frame->offset + 2, next, 2) ==
			       0 &&
		       next[0] == OPCODE_YIELD_FROM;
	}
	return false;
}

/** Where the top of the stack of the frame at @p frame is; 0: it runs, or has none. */
static uint64_t find_top(const struct pyasync *a, uint64_t frame)
{
	const struct layout *l = &a->layout;
	uint64_t base, top;
	int32_t depth;

	if (l->frame.f_stacktop >= 0) /* 3.8, 3.9 */
		return pyasync_u64(a, pyasync_at(frame, l->frame.f_stacktop), &top) == 0 && top ? top - 8 : 0;
	if (l->frame.f_stackdepth >= 0) { /* 3.10 */
		if (mem_read(a->reader, pyasync_at(frame, l->frame.f_stackdepth), &depth, sizeof(depth)) < 0 ||
		    depth <= 0 || pyasync_u64(a, pyasync_at(frame, l->frame.f_valuestack), &base) < 0)
			return 0;
		return base + 8 * (uint64_t)(depth - 1);
	}
	if (l->executable_is_tagged) /* 3.14 and later */
		return pyasync_u64(a, pyasync_at(frame, l->iframe.stacktop), &top) == 0 && top ? top - 8 : 0;
	if (mem_read(a->reader, pyasync_at(frame, l->iframe.stacktop), &depth, sizeof(depth)) < 0 || depth <= 0)
		return 0;
	return pyasync_at(frame, l->iframe.localsplus) + 8 * (uint64_t)(depth - 1);
}

/** What @p object, whose frame is @p frame, waits for; 0: nothing. */
static uint64_t awaited_by(const struct pyasync *a, uint64_t object, const struct pyframe *frame)
{
	uint64_t top, value;

	if (!is_delegating(a, object, frame))
		return 0;
	top = find_top(a, frame->addr);
	if (!top || pyasync_u64(a, top, &value) < 0)
		return 0;
	if (!a->layout.executable_is_tagged)
		return value;
	/* From 3.15 on there is an index above it, or nothing, as above each iterator. */
	if ((value & POINTER_TAG) == POINTER_TAG || !(value & ~POINTER_TAG))
		return pyasync_u64(a, top - 8, &value) == 0 ? value & ~POINTER_TAG : 0;
	return value & ~POINTER_TAG;
}

/** 1: it has none any more. */
static int get_frame(struct pyasync *a, struct pycodes *codes, struct mem_windows *w, uint64_t object,
		     struct pyframe *ret)
{
	const struct layout *l = &a->layout;
	uint64_t addr;
	int8_t state;
	int r = 0;

	if (l->gen.gi_frame_state >= 0) {
		r = mem_read(a->reader, pyasync_at(object, l->gen.gi_frame_state), &state, 1);
		if (r == 0 && state > l->gen_executing)
			return 1;
	}
	if (r == 0)
		r = frame_of(a, object, &addr);
	if (r < 0)
		return pyasync_again(r);
	return addr ? pyframe_get(a->python, codes, w, addr, ret) : 1;
}

int pyasync_chain(struct pyasync *a, struct pycodes *codes, struct mem_windows *w, uint64_t coro, struct pychain *ret)
{
	uint64_t object = coro;
	enum pyawaitable kind = PYAWAITABLE_NONE;
	int r = 0;

	ret->n = 0;
	ret->is_cut = false;
	ret->awaited = 0;
	for (unsigned int steps = 0; object; steps++) {
		if (ret->n == PYASYNC_CHAIN_MAX || steps == 2 * PYASYNC_CHAIN_MAX) {
			ret->is_cut = true;
			break;
		}
		kind = pyasync_kind(a, object);
		if (kind == PYAWAITABLE_WRAPPER) {
			if (pyasync_u64(a, object + PYASYNC_WRAPPED, &object) < 0)
				return -EAGAIN;
			continue;
		}
		if (kind != PYAWAITABLE_FRAME) {
			ret->awaited = object;
			break;
		}
		r = get_frame(a, codes, w, object, &ret->frames[ret->n]);
		if (r < 0)
			return r;
		object = r ? 0 : awaited_by(a, object, &ret->frames[ret->n]);
		ret->n += r == 0;
	}
	ret->kind = ret->awaited ? kind : PYAWAITABLE_NONE;
	return 0;
}

bool pychain_same(const struct pychain *a, const struct pychain *b)
{
	if (a->n != b->n || a->awaited != b->awaited)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct pyframe *x = &a->frames[i], *y = &b->frames[i];

		if (x->addr != y->addr || x->code->addr != y->code->addr || x->offset != y->offset)
			return false;
	}
	return true;
}
