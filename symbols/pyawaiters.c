/*
 * Who waits for a task. From 3.14 on a task knows it. Before, it knows whom to tell when it ends: the task that awaits it
 * itself, or what a function of asyncio left there, which leads to the future that the task awaits that called it.
 */
#include "symbols/pyasync_read.h"

#include <string.h>

#include "symbols/pydict.h"
#include "symbols/pytext.h"

#define FUNCTION_SELF 24 /* PyCFunctionObject.m_self, PyMethodObject.im_self, partialobject.args, 3.8 - 3.15 */
#define CELL 16		 /* PyCellObject.ob_ref, partialobject.fn */
#define CALLBACKS_MAX 64 /* looked at */
#define CELLS_MAX 16
#define DEPTH_MAX 2 /* futures between two tasks, as of a gather() in a shield() */
#define NAME_CHARS 60

struct found {
	struct pyasync *a;
	uint64_t *tasks;
	size_t n, max;
};

static int add_found(void *arg, uint64_t object)
{
	struct found *f = arg;

	for (size_t i = 0; i < f->n; i++)
		if (f->tasks[i] == object)
			return 0;
	if (f->n < f->max && pyasync_kind(f->a, object) == PYAWAITABLE_TASK)
		f->tasks[f->n++] = object;
	return f->n == f->max;
}

static bool is_named(const struct found *f, uint64_t function, const char *const *names, size_t n)
{
	_cleanup_free_ char *name = NULL;
	uint64_t text;

	if (pyasync_u64(f->a, pyasync_at(function, f->a->layout.function.func_qualname), &text) < 0 ||
	    pytext_read(f->a->reader, &f->a->layout, text, NAME_CHARS, &name) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int tell_of(struct found *f, uint64_t future, unsigned int depth);

/** Item @i of a tuple or list; 0: it has not so many. */
static uint64_t item_of(const struct found *f, uint64_t object, bool is_list, uint64_t i)
{
	const struct layout *l = &f->a->layout;
	uint64_t size, items = pyasync_at(object, l->tuple.ob_item), item;

	if (pyasync_u64(f->a, pyasync_at(object, l->object.ob_size), &size) < 0 || i >= size ||
	    (is_list && pyasync_u64(f->a, pyasync_at(object, l->list.ob_item), &items) < 0) ||
	    pyasync_u64(f->a, items + 8 * i, &item) < 0)
		return 0;
	return item;
}

static bool is_future(const struct found *f, uint64_t object)
{
	return pyasync_kind(f->a, object) == PYAWAITABLE_FUTURE;
}

/** The futures that a function of asyncio has in its closure are those that it completes. */
static int tell_of_closure(struct found *f, uint64_t function, unsigned int depth)
{
	static const char *const names[] = {"gather.<locals>._done_callback",
					    "_gather.<locals>._done_callback", /* 3.9 */
					    "_wait.<locals>._on_completion", "shield.<locals>._inner_done_callback"};
	uint64_t closure, cell, object;
	int r = 0;

	if (!is_named(f, function, names, ARRAY_SIZE(names)) ||
	    pyasync_u64(f->a, pyasync_at(function, f->a->layout.function.func_closure), &closure) < 0)
		return 0;
	for (uint64_t i = 0; r == 0 && i < CELLS_MAX && (cell = item_of(f, closure, false, i)); i++)
		if (pyasync_u64(f->a, cell + CELL, &object) == 0 && is_future(f, object))
			r = tell_of(f, object, depth + 1);
	return r;
}

/** wait_for() up to 3.11. */
static int tell_of_partial(struct found *f, uint64_t partial, unsigned int depth)
{
	static const char *const names[] = {"_release_waiter"};
	uint64_t function, args, future;

	if (pyasync_u64(f->a, partial + CELL, &function) < 0 || !is_named(f, function, names, ARRAY_SIZE(names)) ||
	    pyasync_u64(f->a, partial + FUNCTION_SELF, &args) < 0)
		return 0;
	future = item_of(f, args, false, 0);
	return is_future(f, future) ? tell_of(f, future, depth + 1) : 0;
}

/** A task of a TaskGroup tells that. */
static int tell_of_method(struct found *f, uint64_t method)
{
	char name[PYASYNC_TYPE_NAME_MAX];
	uint64_t self, type, task;
	struct pydict attributes;

	if (pyasync_u64(f->a, method + FUNCTION_SELF, &self) < 0 ||
	    pyasync_u64(f->a, pyasync_at(self, f->a->layout.object.ob_type), &type) < 0)
		return 0;
	pyasync_type_name(f->a, type, name);
	if (strcmp(name, "TaskGroup") || pydict_open_instance(f->a->reader, &f->a->layout, self, &attributes) < 0 ||
	    pydict_find(f->a->reader, &f->a->layout, &attributes, "_parent_task", &task) < 0)
		return 0;
	return add_found(f, task);
}

/** The one that waits itself is told by a bound method of C, or in 3.8 and 3.9 an object made for it. */
static int tell(struct found *f, uint64_t callback, unsigned int depth)
{
	char name[PYASYNC_TYPE_NAME_MAX];
	uint64_t type, self;

	if (!callback || pyasync_u64(f->a, pyasync_at(callback, f->a->layout.object.ob_type), &type) < 0)
		return 0;
	pyasync_type_name(f->a, type, name);
	if (!strcmp(name, "TaskWakeupMethWrapper"))
		return pyasync_u64(f->a, callback + PYASYNC_WRAPPED, &self) == 0 ? add_found(f, self) : 0;
	if (!strcmp(name, "builtin_function_or_method"))
		return pyasync_u64(f->a, callback + FUNCTION_SELF, &self) == 0 ? add_found(f, self) : 0;
	if (!strcmp(name, "method"))
		return tell_of_method(f, callback);
	if (!strcmp(name, "function") && depth < DEPTH_MAX)
		return tell_of_closure(f, callback, depth);
	if (!strcmp(name, "functools.partial") && depth < DEPTH_MAX)
		return tell_of_partial(f, callback, depth);
	return 0;
}

/** Whom a future, or a task, tells: one is a field of its own, the others are in a list, each with a context. */
static int tell_of(struct found *f, uint64_t future, unsigned int depth)
{
	uint64_t callback, list, pair;
	int r = pyasync_u64(f->a, pyasync_at(future, f->a->layout.task.callback0), &callback);

	if (r == 0)
		r = tell(f, callback, depth);
	if (r == 0)
		r = pyasync_u64(f->a, pyasync_at(future, f->a->layout.task.callbacks), &list);
	for (uint64_t i = 0; r == 0 && list && i < CALLBACKS_MAX && (pair = item_of(f, list, true, i)); i++)
		r = tell(f, item_of(f, pair, false, 0), depth);
	return r;
}

int pyasync_awaiters(struct pyasync *a, uint64_t task, uint64_t *ret, size_t max)
{
	struct found f = {a, ret, 0, max};
	uint64_t object;
	uint8_t is_set;
	int r;

	if (a->layout.task.awaited_by < 0) {
		r = tell_of(&f, task, 0);
		return r < 0 ? pyasync_again(r) : (int)f.n;
	}
	r = pyasync_u64(a, pyasync_at(task, a->layout.task.awaited_by), &object);
	if (r == 0)
		r = mem_read(a->reader, pyasync_at(task, a->layout.task.awaited_by_is_set), &is_set, 1);
	if (r == 0 && object && is_set)
		r = pyasync_each_in_set(a, object, false, add_found, &f);
	else if (r == 0 && object)
		add_found(&f, object);
	return r < 0 ? pyasync_again(r) : (int)f.n;
}
