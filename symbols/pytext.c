#include "symbols/pytext.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/layout.h"

#define HEAD_MAX 96

struct text {
	uint64_t length;
	unsigned int kind; /* bytes a character */
	bool is_ascii, is_compact;
};

static int decode_head(const struct layout *layout, const uint8_t *head, struct text *ret)
{
	uint32_t state;

	memcpy(&ret->length, head + layout->unicode.length, sizeof(ret->length));
	memcpy(&state, head + layout->unicode.state, sizeof(state));
	ret->kind = state >> layout->unicode.kind_shift & layout->unicode.kind_mask;
	ret->is_ascii = state >> layout->unicode.ascii_bit & 1;
	ret->is_compact = state >> layout->unicode.compact_bit & 1;
	if (!ret->is_compact || (ret->kind != 1 && ret->kind != 2 && ret->kind != 4) ||
	    (ret->is_ascii && ret->kind != 1) || ret->length > INT64_MAX / 4)
		return -EBADMSG;
	return 0;
}

static uint32_t character(const uint8_t *bytes, unsigned int kind, size_t i)
{
	uint16_t two;
	uint32_t four;

	if (kind == 1)
		return bytes[i];
	if (kind == 2) {
		memcpy(&two, bytes + 2 * i, 2);
		return two;
	}
	memcpy(&four, bytes + 4 * i, 4);
	return four;
}

/** Write @p c as UTF-8, lone surrogates as if they were characters; at most 4 bytes. */
static char *encode(char *to, uint32_t c)
{
	if (c >= 0xdc80 && c <= 0xdcff) {
		*to++ = (char)(c - 0xdc00);
	} else if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		c = c > 0x10ffff ? 0xfffd : c;
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

static int read_characters(const struct mem_reader *reader, uint64_t addr, const struct text *text, size_t n,
			   char **ret)
{
	_cleanup_free_ uint8_t *bytes = malloc(n * text->kind + 1);
	char *out = malloc(4 * n + 1), *p = out;
	int r = bytes && out ? mem_read(reader, addr, bytes, n * text->kind) : -ENOMEM;

	if (r < 0) {
		free(out);
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t c = character(bytes, text->kind, i);

		p = encode(p, c ? c : '?');
	}
	*p = '\0';
	*ret = out;
	return 0;
}

int pytext_read(const struct mem_reader *reader, const struct layout *layout, uint64_t addr, size_t max, char **ret)
{
	size_t size = (size_t)layout->unicode.state + 4;
	uint8_t head[HEAD_MAX];
	struct text text = {0};
	int r;

	if (size > sizeof(head) || (size_t)layout->unicode.length + 8 > size)
		return -EBADMSG;
	r = mem_read(reader, addr, head, size);
	if (r == 0)
		r = decode_head(layout, head, &text);
	if (r < 0)
		return r;
	return read_characters(
		reader, addr + (uint64_t)(text.is_ascii ? layout->unicode.ascii_size : layout->unicode.compact_size),
		&text, text.length < max ? text.length : max, ret);
}

int pytext_read_bytes(const struct mem_reader *reader, const struct layout *layout, uint64_t addr, size_t max,
		      uint8_t **ret, size_t *len)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	uint64_t size;
	int r = mem_read_u64(reader, addr + (uint64_t)layout->object.ob_size, &size);

	if (r < 0)
		return r;
	if (size > max)
		return -EBADMSG;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	r = mem_read(reader, addr + (uint64_t)layout->bytes.ob_sval, bytes, size);
	if (r < 0)
		return r;
	*ret = take_ptr(bytes);
	*len = size;
	return 0;
}
