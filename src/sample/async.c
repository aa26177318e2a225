#include "sample/async.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "symbols/debug_offsets.h"
#include "symbols/elf_image.h"

#define REFRESH_NS UINT64_C(500000000)
#define CHAIN_TRIES 20
#define FAILED_MAX 100 /* chains that could not be read, before one try each has to do */
#define LEVELS_MAX 32  /* tasks that wait for each other */

int async_new(struct target *t, struct async **ret)
{
	struct async *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	pyasync_init(&a->py, &t->reader, &t->runtime.python);
	a->windows.reader = &t->reader;
	if (pystack_init(&a->stack) < 0) {
		free(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

void async_free(struct async *a)
{
	if (!a)
		return;
	mem_windows_deinit(&a->windows);
	pystack_deinit(&a->stack);
	free(a);
}

/* ---- from 3.14 on: what the module says of itself ---- */

struct module_search {
	struct async *a;
	struct target *target;
	bool is_found;
};

/* It is a file of its own, or in the interpreter. */
static bool may_have_module(const struct target *t, const char *path)
{
	const char *name = strrchr(path, '/');

	return (t->runtime.path && !strcmp(path, t->runtime.path)) || (name && !strncmp(name, "/_asyncio.", 10));
}

static int read_section(struct module_search *s, const struct elf_image *image, uint64_t bias)
{
	uint8_t bytes[DEBUG_OFFSETS_ASYNCIO_SIZE];
	uint64_t vaddr, size;
	int r = elf_image_section(image, DEBUG_OFFSETS_ASYNCIO_SECTION, &vaddr, &size);

	if (r < 0 || size < sizeof(bytes))
		return -ENOENT;
	r = remote_read(&s->target->remote, vaddr + bias, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	r = debug_offsets_apply_asyncio(bytes, sizeof(bytes), &s->a->py.layout);
	if (r < 0)
		log_debug("pid %d: its _Py_AsyncioDebug is broken", s->target->pid);
	return r;
}

static int on_map(const struct procfs_map *map, void *arg)
{
	struct module_search *s = arg;
	_cleanup_elf_image_ struct elf_image *image = NULL;
	_cleanup_close_ int fd = -1;
	uint64_t bias;

	if (!map->executable || !map->ino || !may_have_module(s->target, map->path))
		return 0;
	fd = procfs_open_map(s->target->pid, map);
	if (fd < 0 || elf_image_new(fd, &image, NULL) < 0 ||
	    elf_image_bias(image, map->offset, map->start, true, &bias) < 0)
		return 0;
	s->is_found = read_section(s, image, bias) == 0;
	return s->is_found;
}

static int find_module(struct async *a, struct target *t)
{
	struct module_search s = {a, t, false};
	int r = procfs_each_map(t->pid, on_map, &s);

	return r < 0 ? r : s.is_found ? 0 : -ENOENT;
}

int async_refresh(struct async *a, struct target *t, uint64_t now_ns)
{
	int r = 0;

	if (a->refreshed_ns && now_ns - a->refreshed_ns < REFRESH_NS)
		return a->is_ready ? 0 : -ENOENT;
	a->refreshed_ns = now_ns;
	pyasync_forget(&a->py);
	if (!a->is_ready && a->py.layout.task.node >= 0)
		r = find_module(a, t);
	a->is_ready = r == 0;
	return r;
}

/* ---- chains ---- */

static int walk(struct async *a, struct target *t, uint64_t coro, struct pychain *ret)
{
	uint64_t generation = t->codes.generation;
	int r = mem_windows_begin(&a->windows);

	/* What was known of code objects in that generation is looked at again: it may be over. */
	t->codes.generation = 0;
	if (r == 0)
		r = pyasync_chain(&a->py, &t->codes, &a->windows, coro, ret);
	t->codes.generation = generation;
	return r;
}

int async_chain(struct async *a, struct target *t, uint64_t coro)
{
	int tries = a->n_failed < FAILED_MAX ? CHAIN_TRIES : 1, r = -EAGAIN;

	for (int i = 0; i < tries && r == -EAGAIN; i++) {
		r = walk(a, t, coro, &a->chain);
		if (r == 0)
			r = walk(a, t, coro, &a->again);
		if (r == 0 && !pychain_same(&a->chain, &a->again))
			r = -EAGAIN;
	}
	a->n_failed += r == -EAGAIN;
	return r;
}

/* ---- stacks of tasks ---- */

/* The tasks that wait for each other, the one that runs first. */
struct levels {
	uint64_t tasks[LEVELS_MAX];
	size_t n;
};

static bool has_level(const struct levels *l, uint64_t task)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->tasks[i] == task)
			return true;
	return false;
}

/* Add its frames, innermost first. */
static void add_chain(struct async *a)
{
	for (size_t i = a->chain.n; i-- > 0 && a->stack.n < PYSTACK_DEPTH_MAX;)
		a->stack.frames[a->stack.n++] = a->chain.frames[i];
}

/* 1: nobody waits for the last one. */
static int add_level(struct async *a, struct target *t, struct levels *l)
{
	struct pytask task;
	uint64_t next;
	int r = pyasync_awaiters(&a->py, l->tasks[l->n - 1], &next, 1);

	if (r <= 0 || l->n == LEVELS_MAX || has_level(l, next))
		return r < 0 ? r : 1;
	r = pyasync_task(&a->py, next, &task);
	if (r < 0 || !task.coro)
		return r == -ESRCH || r == -EPERM || r == -ENOMEM ? r : -EAGAIN;
	l->tasks[l->n++] = next;
	r = async_chain(a, t, task.coro);
	if (r == 0)
		add_chain(a);
	return r;
}

/* Who waits does not move as long as it does. */
static int confirm(struct async *a, const struct levels *l)
{
	uint64_t next;

	for (size_t i = 0; i + 1 < l->n; i++)
		if (pyasync_awaiters(&a->py, l->tasks[i], &next, 1) != 1 || next != l->tasks[i + 1])
			return -EAGAIN;
	return 0;
}

static int follow(struct async *a, struct target *t, uint64_t task, size_t place)
{
	struct levels l = {{task}, 1};
	int r = 0;

	for (a->stack.n = 0; a->stack.n <= place; a->stack.n++)
		a->stack.frames[a->stack.n] = t->stack.frames[a->stack.n];
	while (r == 0)
		r = add_level(a, t, &l);
	return r < 0 ? r : confirm(a, &l);
}

int async_stack(struct target *t, const struct target_thread *thread, uint64_t now_ns, const struct pystack **ret)
{
	uint64_t task;
	size_t place;
	int r = t->async ? 0 : async_new(t, &t->async);

	*ret = &t->stack;
	if (r == 0)
		r = async_refresh(t->async, t, now_ns);
	if (r == 0)
		r = pyasync_running(&t->async->py, &thread->py, &t->stack, &task, &place);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*ret = &t->async->stack;
	return follow(t->async, t, task, place);
}
