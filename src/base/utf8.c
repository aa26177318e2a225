#include "base/utf8.h"

#include <string.h>

/** Length of the sequence that @p first begins, 0 if it begins none. */
static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc0 || first >= 0xf8)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t utf8_decode(const char *text, uint32_t *ret)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t len = length_of(s[0]);
	uint32_t c = s[0];

	if (len > 1)
		c &= 0x7fu >> len;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (len == 0 || c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

bool utf8_valid(const char *text)
{
	uint32_t c;

	/* Most text is ASCII. */
	for (size_t left = strlen(text); left >= 8; left -= 8, text += 8) {
		uint64_t word;

		memcpy(&word, text, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (*text) {
		size_t len = (unsigned char)*text < 0x80 ? 1 : utf8_decode(text, &c);

		if (len == 0)
			return false;
		text += len;
	}
	return true;
}
