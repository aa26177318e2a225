#include "base/printable.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

bool printable_is_shown(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0xad, 0xad},	  {0x61c, 0x61c},   {0x200b, 0x200f}, {0x2028, 0x202e},	  {0x2060, 0x206f},
		{0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
	};

	if (c < 0xa0)
		return c >= 0x20 && c < 0x7f;
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return (c & 0xfffe) != 0xfffe;
}

/* One character of @p text as it is shown; the number of bytes it takes there. */
static size_t show(char shown[16], const char *text)
{
	uint32_t c;
	size_t len = utf8_decode(text, &c);

	if (len == 0) {
		snprintf(shown, 16, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	if (printable_is_shown(c)) {
		memcpy(shown, text, len);
		shown[len] = '\0';
	} else {
		snprintf(shown, 16, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
	}
	return len;
}

size_t printable(char *buf, size_t size, const char *text)
{
	char shown[16];
	size_t total = 0;
	bool full = size == 0;

	if (!full)
		buf[0] = '\0';
	while (*text) {
		size_t len;

		text += show(shown, text);
		len = strlen(shown);
		full = full || total + len >= size;
		if (!full)
			memcpy(buf + total, shown, len + 1);
		total += len;
	}
	return total;
}
