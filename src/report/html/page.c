#include "report/html/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "base/utf8.h"

static bool make_room(struct page *page, size_t n)
{
	size_t room = page->room ? page->room : 4096;
	char *text;

	if (page->room - page->n >= n && page->text)
		return !page->failed;
	while (room - page->n < n)
		room *= 2;
	text = realloc(page->text, room);
	if (!text) {
		page->failed = true;
		return false;
	}
	page->text = text;
	page->room = room;
	return !page->failed;
}

void page_put_n(struct page *page, const char *text, size_t n)
{
	if (!make_room(page, n))
		return;
	memcpy(page->text + page->n, text, n);
	page->n += n;
}

void page_put(struct page *page, const char *text)
{
	page_put_n(page, text, strlen(text));
}

void page_printf(struct page *page, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		page->failed = true;
	else
		page_put_n(page, text, (size_t)n);
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void page_text(struct page *page, const char *text)
{
	size_t size = printable(NULL, 0, text) + 1;
	_cleanup_free_ char *shown = malloc(size);

	if (!shown) {
		page->failed = true;
		return;
	}
	printable(shown, size, text);
	for (const char *c = shown; *c; c++) {
		const char *name = entity(*c);

		if (name)
			page_put(page, name);
		else
			page_put_n(page, c, 1);
	}
}

/* How many bytes of @text may stand as they are. */
static size_t plain(const char *text, size_t n)
{
	size_t i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)text[i];
		uint32_t point;
		size_t len;

		if (c < 0x80) {
			if ((c < 0x20 && c != '\t') || c == 0x7f || entity((char)c))
				break;
			i++;
			continue;
		}
		len = utf8_decode(text + i, &point);
		if (!len || len > n - i || !printable_is_shown(point))
			break;
		i += len;
	}
	return i;
}

void page_code(struct page *page, const char *text, size_t n)
{
	while (n) {
		size_t len = plain(text, n);
		const char *name;
		uint32_t point;

		page_put_n(page, text, len);
		text += len;
		n -= len;
		if (!n)
			break;
		name = entity(*text);
		len = name ? 1 : utf8_decode(text, &point);
		if (name)
			page_put(page, name);
		else if (len && len <= n)
			page_printf(page, "<i class=\"u\">U+%04X</i>", point);
		else
			page_printf(page, "<i class=\"u\">\\x%02x</i>", (unsigned char)*text);
		len = len && len <= n ? len : 1;
		text += len;
		n -= len;
	}
}

void page_json(struct page *page, const char *text)
{
	size_t size = printable(NULL, 0, text) + 1;
	_cleanup_free_ char *shown = malloc(size);

	if (!shown) {
		page->failed = true;
		return;
	}
	printable(shown, size, text);
	page_put(page, "\"");
	for (const char *c = shown; *c; c++) {
		if (strchr("\"\\<>&", *c)) /* no end of a script, nor a comment, is in it */
			page_printf(page, "\\u%04x", (unsigned)*c);
		else
			page_put_n(page, c, 1);
	}
	page_put(page, "\"");
}

void page_clear(struct page *page)
{
	page->n = 0;
}

void page_deinit(struct page *page)
{
	free(page->text);
	*page = (struct page){0};
}
