/** An HTML page in memory. Whatever comes from a target goes through page_text() or page_code(). */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

/** All zeros is an empty one. When memory is short it becomes `failed`, and stays so. */
struct page {
	char *text;
	size_t n, room;
	bool failed;
};

void page_put_n(struct page *page, const char *text, size_t n);
void page_put(struct page *page, const char *text);
void page_printf(struct page *page, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** A name of others, made fit to be shown (base/printable.h), as text or the value of a quoted attribute. */
void page_text(struct page *page, const char *text);

/** A piece of a source, UTF-8: characters that are not shown get an element of their own that names them. */
void page_code(struct page *page, const char *text, size_t n);

/** A string of JSON, for a script element. */
void page_json(struct page *page, const char *text);

void page_clear(struct page *page);
void page_deinit(struct page *page);
#define _cleanup_page_ _cleanup_(page_deinit)
