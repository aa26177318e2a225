/** The tasks of asyncio in a memory_image.h: all of them, who waits for them, and for what. */
#pragma once

#include "memory_image.h"
#include "symbols/pyasync.h"
#include "symbols/pydict.h"

struct task_walk {
	struct pyasync async;
	struct pycodes codes;
	struct mem_windows windows;
	struct pychain chains[2];
	size_t tasks, frames, awaiters, attributes; /* what was found */
};

static inline void image_attributes(struct task_walk *w, uint64_t object)
{
	const struct mem_reader *reader = w->async.reader;
	const struct layout *layout = &w->async.layout;
	struct pydict dict;
	uint64_t pair[2], value;

	if (pydict_open_instance(reader, layout, object, &dict) < 0)
		return;
	for (uint64_t i = 0; i < dict.n && i < 100 && pydict_get(reader, &dict, i, pair) == 0; i++)
		w->attributes += pair[0] != 0;
	if (pydict_find(reader, layout, &dict, "own", &value) == 0)
		w->attributes += 1000;
}

static inline int image_task(void *arg, uint64_t addr)
{
	struct task_walk *w = arg;
	uint64_t awaiters[8];
	struct pytask task;
	int n;

	if (pyasync_task(&w->async, addr, &task) < 0 || !task.coro)
		return 0;
	w->tasks++;
	n = pyasync_awaiters(&w->async, addr, awaiters, 8);
	w->awaiters += n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < 2; i++)
		if (mem_windows_begin(&w->windows) < 0 ||
		    pyasync_chain(&w->async, &w->codes, &w->windows, task.coro, &w->chains[i]) < 0)
			return 0;
	w->frames += pychain_same(&w->chains[0], &w->chains[1]) ? w->chains[0].n : 0;
	image_attributes(w, addr);
	return w->tasks == 1000;
}

/** What the stack of each thread says of tasks. */
static inline void image_running(struct task_walk *w, const struct pyruntime *python, const struct pythreads *threads)
{
	struct pystack stack;
	uint64_t task;
	size_t place;

	if (pystack_init(&stack) < 0)
		abort();
	for (size_t i = 0; i < threads->n && i < 16; i++)
		if (mem_windows_begin(&w->windows) == 0 &&
		    pystack_walk(&stack, python, &w->codes, &w->windows, &threads->threads[i]) == 0 &&
		    pyasync_running(&w->async, &threads->threads[i], &stack, &task, &place) == 0)
			w->frames += 1000;
	pystack_deinit(&stack);
}

static inline void image_tasks(struct memory_image *image, struct mem_reader reader, struct task_walk *w)
{
	struct pyruntime python = image_python(image);
	struct mem_windows list = {.reader = &reader};
	struct pythreads threads = {0};
	uint64_t interp = 0;

	memset(w, 0, sizeof(*w));
	w->windows.reader = &reader;
	pycodes_init(&w->codes);
	pyasync_init(&w->async, &reader, &python);
	if (pythreads_get(&threads, &python, &list) == 0) {
		for (size_t i = 0; i < threads.n && i < 16; i++) {
			if (threads.threads[i].interp == interp)
				continue;
			interp = threads.threads[i].interp;
			if (pyasync_each_task(&w->async, &threads, interp, image_task, w) < 0)
				w->tasks += 0;
		}
		image_running(w, &python, &threads);
	}
	pycodes_deinit(&w->codes);
	pythreads_deinit(&threads);
	mem_windows_deinit(&list);
	mem_windows_deinit(&w->windows);
}
