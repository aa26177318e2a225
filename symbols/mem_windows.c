#include "symbols/mem_windows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
/*
 * Windows in neighbouring pages with so little between them become one, those in one page always: another range costs
 * the kernel as much as the bytes of a page.
 */
#define NEAR 1024u
/* Behind what was used: a stack that grows a little is still in the window. A longer one costs nearly nothing. */
#define SLACK 1024u
#define ADDR_MAX ((uint64_t)1 << 47)
/* What is used on and off, as the code of a function that is called now and then, stays: a miss costs several calls. */
#define CREDIT_FIRST 2
#define CREDIT_MORE 2
#define CREDIT_MAX 16

void mem_windows_deinit(struct mem_windows *w)
{
	free(w->windows);
	free(w->buf);
	free(w->ranges);
	free(w->targets);
	memset(w, 0, sizeof(*w));
}

void mem_windows_clear(struct mem_windows *w)
{
	w->n = w->n_sorted = w->hint = 0;
	w->filled = 0;
}

static int grow(void **p, size_t *room, size_t need, size_t unit)
{
	size_t wanted = *room ? *room : 64;
	void *new;

	while (wanted < need)
		wanted *= 2;
	if (wanted == *room)
		return 0;
	new = realloc(*p, wanted * unit);
	if (!new)
		return -ENOMEM;
	*p = new;
	*room = wanted;
	return 0;
}

static int reserve(struct mem_windows *w, size_t len)
{
	if (len > MEM_WINDOWS_BYTES_MAX - w->filled)
		return -E2BIG;
	return grow((void **)&w->buf, &w->buf_room, w->filled + len, 1);
}

static uint64_t page_end(uint64_t addr)
{
	return (addr + PAGE) & ~(uint64_t)(PAGE - 1);
}

/** Shrink the window to what was used of it, and a little behind that in the same page. */
static void shrink(struct mem_window *window)
{
	uint64_t start = window->addr + window->used_from, end = window->addr + window->used_to;
	uint64_t limit = page_end(end - 1);

	window->addr = start;
	if (window->len > window->used_to - window->used_from)
		end = end + SLACK < limit ? end + SLACK : limit;
	window->len = (uint32_t)(end - start);
}

/* @from begins behind @into, or in it. Between two pages that are neighbours there is nothing unmapped. */
static bool merge(struct mem_window *into, const struct mem_window *from)
{
	uint64_t end = into->addr + into->len, from_end = from->addr + from->len;

	if (from->addr > end) {
		uint64_t page = (from->addr & ~(uint64_t)(PAGE - 1));

		if (page > page_end(end - 1) || (page == page_end(end - 1) && from->addr - end > NEAR))
			return false;
	}
	if (from_end > end)
		into->len = (uint32_t)(from_end - into->addr);
	if (from->credit > into->credit)
		into->credit = from->credit;
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct mem_window *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* Most of them are where they were. */
static void sort(struct mem_window *windows, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (windows[i].addr < windows[i - 1].addr) {
			qsort(windows, n, sizeof(*windows), by_address);
			return;
		}
}

static bool was_used(const struct mem_windows *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->windows[i].used_to)
			return true;
	return false;
}

/** True if it stays. */
static bool settle(struct mem_window *window)
{
	if (window->used_to == 0)
		return window->is_valid && window->credit-- > 1;
	shrink(window);
	window->credit = window->credit + CREDIT_MORE > CREDIT_MAX ? CREDIT_MAX : window->credit + CREDIT_MORE;
	return true;
}

static void drop_unused(struct mem_windows *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (settle(&w->windows[i]))
			w->windows[n++] = w->windows[i];
	w->n = n;
}

/** Keep what was used, by address; or all, if there was no walk. */
static void keep_used(struct mem_windows *w)
{
	size_t n = 0;

	if (was_used(w))
		drop_unused(w);
	sort(w->windows, w->n);
	for (size_t i = 0; i < w->n; i++)
		if (n == 0 || !merge(&w->windows[n - 1], &w->windows[i]))
			w->windows[n++] = w->windows[i];
	w->n = w->n_sorted = n;
}

static int lay_out(struct mem_windows *w)
{
	int r;

	w->filled = 0;
	r = grow((void **)&w->ranges, &w->ranges_room, w->n, sizeof(*w->ranges));
	if (r < 0)
		return r;
	for (size_t i = 0; i < w->n; i++) {
		struct mem_window *window = &w->windows[i];

		r = reserve(w, window->len);
		if (r == -E2BIG) {
			mem_windows_clear(w);
			return 0;
		}
		if (r < 0)
			return r;
		window->at = (uint32_t)w->filled;
		window->used_from = window->used_to = 0;
		window->is_valid = false;
		w->filled += window->len;
	}
	for (size_t i = 0; i < w->n; i++)
		w->ranges[i] = (struct mem_range){w->windows[i].addr, w->buf + w->windows[i].at, w->windows[i].len};
	return 0;
}

static int prepare(struct mem_windows *w)
{
	keep_used(w);
	w->misses = 0;
	w->hint = 0;
	return lay_out(w);
}

/** Read the ranges. What is not there any more is passed over. */
static int read_ranges(const struct mem_reader *reader, const struct mem_range *ranges, size_t n,
		       struct mem_window **windows)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t got = reader->read(reader->arg, ranges + i, n - i);

		if (got < 0)
			return (int)got;
		for (; got > 0; got--)
			windows[i++]->is_valid = true;
	}
	return 0;
}

/** Put the ranges of all into those of the first. */
static int gather(struct mem_windows *const *all, size_t n, size_t total)
{
	struct mem_windows *first = all[0];
	size_t at = first->n;
	int r = grow((void **)&first->ranges, &first->ranges_room, total, sizeof(*first->ranges));

	if (r == 0)
		r = grow((void **)&first->targets, &first->targets_room, total, sizeof(struct mem_window *));
	if (r < 0)
		return r;
	for (size_t k = 1; k < n; k++) {
		if (all[k]->n)
			memcpy(first->ranges + at, all[k]->ranges, all[k]->n * sizeof(*first->ranges));
		at += all[k]->n;
	}
	at = 0;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < all[k]->n; i++)
			first->targets[at++] = &all[k]->windows[i];
	return 0;
}

int mem_windows_begin_all(struct mem_windows *const *all, size_t n)
{
	size_t total = 0;
	int r = 0;

	for (size_t k = 0; k < n && r == 0; k++) {
		r = prepare(all[k]);
		total += all[k]->n;
	}
	if (r == 0)
		r = gather(all, n, total);
	return r < 0 ? r : read_ranges(all[0]->reader, all[0]->ranges, total, all[0]->targets);
}

int mem_windows_begin(struct mem_windows *w)
{
	return mem_windows_begin_all(&w, 1);
}

static bool holds(const struct mem_window *window, uint64_t addr, size_t len)
{
	return window->is_valid && addr >= window->addr && len <= window->len &&
	       addr - window->addr <= window->len - len;
}

static void take(struct mem_windows *w, size_t i, uint64_t addr, void *buf, size_t len)
{
	struct mem_window *window = &w->windows[i];
	uint32_t from = (uint32_t)(addr - window->addr), to = from + (uint32_t)len;

	memcpy(buf, w->buf + window->at + from, len);
	if (window->used_to == 0 || from < window->used_from)
		window->used_from = from;
	if (to > window->used_to)
		window->used_to = to;
	w->hint = i;
}

static int open_window(struct mem_windows *w, uint64_t addr, size_t len, size_t before, size_t after)
{
	uint64_t start = addr & ~(uint64_t)(PAGE - 1), end = page_end(addr + len - 1);
	struct mem_window *window;
	int r;

	if (w->n >= MEM_WINDOWS_MAX)
		return -E2BIG;
	if (addr - start > before)
		start = addr - before;
	if (end - (addr + len) > after)
		end = addr + len + after;
	r = reserve(w, end - start);
	if (r == 0)
		r = grow((void **)&w->windows, &w->room, w->n + 1, sizeof(*w->windows));
	if (r < 0)
		return r;
	w->misses++;
	r = mem_read(w->reader, start, w->buf + w->filled, end - start);
	if (r < 0)
		return r;
	window = &w->windows[w->n++];
	*window = (struct mem_window){.addr = start,
				      .len = (uint32_t)(end - start),
				      .at = (uint32_t)w->filled,
				      .credit = CREDIT_FIRST,
				      .is_valid = true};
	w->filled += end - start;
	return 0;
}

/** The window of the sorted ones that may hold @p addr. */
static size_t find_sorted(const struct mem_windows *w, uint64_t addr)
{
	size_t low = 0, high = w->n_sorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->windows[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

/** The window that holds the bytes; `n` if there is none. */
static size_t find(const struct mem_windows *w, uint64_t addr, size_t len)
{
	size_t at;

	if (w->hint < w->n && holds(&w->windows[w->hint], addr, len))
		return w->hint;
	at = find_sorted(w, addr);
	if (at < w->n_sorted && holds(&w->windows[at], addr, len))
		return at;
	for (at = w->n_sorted; at < w->n && !holds(&w->windows[at], addr, len);)
		at++;
	return at;
}

int mem_windows_get(struct mem_windows *w, uint64_t addr, void *buf, size_t len, size_t before, size_t after)
{
	size_t at;
	int r;

	if (addr == 0 || addr >= ADDR_MAX || len == 0 || len > PAGE)
		return -EFAULT;
	at = find(w, addr, len);
	if (at == w->n) {
		r = open_window(w, addr, len, before, after);
		if (r < 0)
			return r;
	}
	take(w, at, addr, buf, len);
	return 0;
}
