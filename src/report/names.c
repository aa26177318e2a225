#include "report/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/*
 * What str.isprintable() refuses, but for code points that are not assigned: control and format characters, line
 * and paragraph separators, spaces other than the plain one, surrogates and private use.
 */
static const struct {
	uint32_t from, to;
} unprintable[] = {
	{0x0, 0x1f},	    {0x7f, 0xa0},	 {0xad, 0xad},	     {0x600, 0x605},	 {0x61c, 0x61c},
	{0x6dd, 0x6dd},	    {0x70f, 0x70f},	 {0x890, 0x891},     {0x8e2, 0x8e2},	 {0x1680, 0x1680},
	{0x180e, 0x180e},   {0x2000, 0x200f},	 {0x2028, 0x202f},   {0x205f, 0x206f},	 {0x3000, 0x3000},
	{0xd800, 0xf8ff},   {0xfdd0, 0xfdef},	 {0xfeff, 0xfeff},   {0xfff0, 0xfffb},	 {0xfffe, 0xffff},
	{0x110bd, 0x110bd}, {0x110cd, 0x110cd},	 {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	{0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff},
};

static bool is_printable(uint32_t c)
{
	for (size_t i = 0; i < sizeof(unprintable) / sizeof(*unprintable) && c >= unprintable[i].from; i++)
		if (c <= unprintable[i].to)
			return false;
	return true;
}

char *name_printable(const char *name)
{
	char *copy = malloc(strlen(name) + 1), *to = copy;

	while (copy && *name) {
		uint32_t c;
		size_t n = utf8_decode(name, &c);

		if (n && is_printable(c)) {
			memcpy(to, name, n);
			to += n;
		} else {
			*to++ = '?';
		}
		name += n ? n : 1;
	}
	if (copy)
		*to = 0;
	return copy;
}

size_t name_width(const char *name)
{
	size_t width = 0;

	for (; *name; name++)
		width += ((unsigned char)*name & 0xc0) != 0x80;
	return width;
}

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

static int compare_numbers(const char *a, size_t n, const char *b, size_t m)
{
	while (n && *a == '0')
		a++, n--;
	while (m && *b == '0')
		b++, m--;
	if (n != m)
		return n < m ? -1 : 1;
	return memcmp(a, b, n);
}

static int compare_words(const char *a, size_t n, const char *b, size_t m)
{
	int r = memcmp(a, b, n < m ? n : m);

	return r ? r : n < m ? -1 : n > m;
}

/* Text and numbers alternate in both, text comes first and may be empty. */
int name_compare(const char *a, const char *b)
{
	const char *x = a, *y = b;

	while (*x || *y) {
		size_t n = strcspn(x, "0123456789"), m = strcspn(y, "0123456789");
		int r = compare_words(x, n, y, m);

		if (r)
			return r;
		x += n;
		y += m;
		n = digits(x);
		m = digits(y);
		if (!n || !m)
			return n ? 1 : m ? -1 : strcmp(a, b);
		r = compare_numbers(x, n, y, m);
		if (r)
			return r;
		x += n;
		y += m;
	}
	return strcmp(a, b);
}
