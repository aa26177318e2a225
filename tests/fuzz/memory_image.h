/**
 * The memory of a Python as a file: what a walk of its stacks read, so that it can be walked again, and be changed.
 *
 *     u64 minor version, _PyRuntime, PyCode_Type; then pieces: u64 address, u64 length, bytes
 *
 * With `is_typed`, _Py_NoneStruct and the types follow PyCode_Type. Whatever bytes the file has, it is some memory.
 */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "symbols/layout.h"
#include "symbols/pystack.h"

#define IMAGE_PIECES_MAX 4096

struct memory_image {
	uint8_t *bytes;
	size_t size, room;
	struct image_piece {
		uint64_t addr, len;
		size_t at;
	} pieces[IMAGE_PIECES_MAX];
	size_t n;
	bool is_typed;
	const struct mem_reader *live; /* while it is recorded */
};

static inline uint64_t image_u64(const struct memory_image *image, size_t at)
{
	uint64_t value = 0;

	if (at + 8 <= image->size)
		memcpy(&value, image->bytes + at, 8);
	return value;
}

static inline size_t image_head(const struct memory_image *image)
{
	return image->is_typed ? 8 * (4 + PYTYPE_COUNT) : 24;
}

/** Take the pieces from the bytes; those that reach beyond the end are cut. */
static inline void image_parse(struct memory_image *image)
{
	size_t at = image_head(image);

	image->n = 0;
	while (at + 16 < image->size && image->n < IMAGE_PIECES_MAX) {
		struct image_piece *piece = &image->pieces[image->n++];

		*piece = (struct image_piece){image_u64(image, at), image_u64(image, at + 8), at + 16};
		if (piece->len > image->size - piece->at)
			piece->len = image->size - piece->at;
		at = piece->at + piece->len;
	}
}

static inline ssize_t image_read(void *arg, const struct mem_range *ranges, size_t n)
{
	const struct memory_image *image = arg;
	size_t done;

	for (done = 0; done < n; done++) {
		const struct mem_range *range = &ranges[done];
		size_t i;

		for (i = 0; i < image->n; i++) {
			const struct image_piece *piece = &image->pieces[i];

			if (range->addr >= piece->addr && range->len <= piece->len &&
			    range->addr - piece->addr <= piece->len - range->len)
				break;
		}
		if (i == image->n)
			break;
		memcpy(range->buf, image->bytes + image->pieces[i].at + (range->addr - image->pieces[i].addr),
		       range->len);
	}
	return (ssize_t)done;
}

static inline void image_append(struct memory_image *image, const void *bytes, size_t n)
{
	while (image->size + n > image->room) {
		image->room = image->room ? 2 * image->room : 1 << 16;
		image->bytes = realloc(image->bytes, image->room);
	}
	memcpy(image->bytes + image->size, bytes, n);
	image->size += n;
}

/** Read from the live memory, and keep what was read. */
static inline ssize_t image_record(void *arg, const struct mem_range *ranges, size_t n)
{
	struct memory_image *image = arg;
	ssize_t done = image->live->read(image->live->arg, ranges, n);

	for (ssize_t i = 0; i < done; i++) {
		uint64_t head[2] = {ranges[i].addr, ranges[i].len};

		image_append(image, head, sizeof(head));
		image_append(image, ranges[i].buf, ranges[i].len);
	}
	return done;
}

static inline struct pyruntime image_python(const struct memory_image *image)
{
	const struct layout *layout = layout_find((unsigned int)image_u64(image, 0));
	struct pyruntime python = {
		.layout = layout ? layout : layout_find(8),
		.addr = image_u64(image, 8),
		.code_type = image_u64(image, 16),
	};

	for (size_t i = 0; image->is_typed && i < PYTYPE_COUNT; i++)
		python.types[i] = image_u64(image, 32 + 8 * i);
	if (image->is_typed)
		python.none = image_u64(image, 24);
	return python;
}

/** Look at all that there is in the image, twice. How many frames there were at the second time. */
static inline size_t image_walk(struct memory_image *image, struct mem_reader reader)
{
	struct pyruntime python = image_python(image);
	struct mem_windows list = {.reader = &reader}, windows = {.reader = &reader}, check = {.reader = &reader};
	struct pythreads threads = {0};
	struct pycodes codes;
	struct pystack stack;
	size_t frames = 0;

	pycodes_init(&codes);
	if (pystack_init(&stack) < 0)
		abort();
	for (int round = 0; round < 2; round++) {
		frames = 0;
		if (mem_windows_begin(&list) < 0 || pythreads_get(&threads, &python, &list) < 0)
			continue;
		for (size_t i = 0; i < threads.n && i < 64; i++) {
			int r = mem_windows_begin(&windows);

			for (int try = 0; try < 2 && r == 0; try++) {
				r = pystack_walk(&stack, &python, &codes, &windows, &threads.threads[i]);
				if (r == 0)
					r = pystack_confirm(&python, &codes, &windows, &threads.threads[i]);
				if (r == -EAGAIN)
					r = 0;
				else
					break;
			}
			if (r < 0)
				continue;
			for (size_t k = 0; k < stack.n; k++)
				frames += pyframe_line(&stack.frames[k]) != 0;
			if (mem_windows_begin(&check) == 0 &&
			    pystack_check(&stack, &python, &codes, &check, &threads.threads[i]) < 0)
				frames++;
		}
		pycodes_sweep(&codes);
	}
	pystack_deinit(&stack);
	pycodes_deinit(&codes);
	pythreads_deinit(&threads);
	mem_windows_deinit(&list);
	mem_windows_deinit(&windows);
	mem_windows_deinit(&check);
	return frames;
}
