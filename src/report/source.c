#include "report/source.h"

#include <ctype.h>
#include <fcntl.h>
#include <iconv.h>
#include <string.h>
#include <sys/stat.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define COOKIE_MAX 64

void source_deinit(struct source *source)
{
	free(source->text);
	free(source->starts);
	*source = (struct source){0};
}

/* \r\n and \r become \n, \f a space; at least one byte is free behind the text. */
static char *normalize(const char *bytes, size_t n, size_t *size)
{
	char *text = malloc(n + 2), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];

		if (c == '\r') {
			i += i + 1 < n && bytes[i + 1] == '\n';
			c = '\n';
		} else if (c == '\f') {
			c = ' ';
		}
		*out++ = c;
	}
	*size = (size_t)(out - text);
	return text;
}

/* The encoding that a line like "# -*- coding: NAME -*-" names (PEP 263). */
static bool find_cookie(const char *line, size_t n, char name[COOKIE_MAX])
{
	const char *end = line + n, *p = line;
	size_t length = 0;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p != '#')
		return false;
	p = memmem(p, (size_t)(end - p), "coding", 6);
	while (p && p + 6 < end && p[6] != ':' && p[6] != '=')
		p = memmem(p + 6, (size_t)(end - p - 6), "coding", 6);
	if (!p || p + 6 >= end)
		return false;
	for (p += 7; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	for (; p < end && (isalnum((unsigned char)*p) || strchr("-_.", *p)) && *p; p++)
		if (length < COOKIE_MAX - 1)
			name[length++] = (char)(*p == '_' ? '-' : tolower((unsigned char)*p));
	name[length] = 0;
	return length > 0;
}

static bool is_blank(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i == n || line[i] == '#';
}

/* A cookie counts in the first line, or in the second if the first is blank or a comment. */
static bool find_encoding(const char *text, size_t size, char name[COOKIE_MAX])
{
	for (int i = 0; i < 2 && size; i++) {
		const char *end = memchr(text, '\n', size);
		size_t n = end ? (size_t)(end - text) : size;

		if (find_cookie(text, n, name))
			return true;
		if (!end || !is_blank(text, n))
			return false;
		text += n + 1;
		size -= n + 1;
	}
	return false;
}

static bool is_ascii(const char *text, size_t size)
{
	unsigned char bits = 0;

	for (size_t i = 0; i < size; i++)
		bits |= (unsigned char)text[i];
	return bits < 0x80;
}

/* As many bytes as start a character, but do not complete it, are replaced together, as Python does. */
static size_t invalid_length(const unsigned char *p, size_t n)
{
	size_t want = *p >= 0xf0 && *p <= 0xf4 ? 3 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xc2 && *p < 0xe0 ? 1 : 0;
	size_t i = 1;

	while (i < n && i <= want && (p[i] & 0xc0) == 0x80) {
		if (i == 1 && ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
			       (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f)))
			break;
		i++;
	}
	return i;
}

/* Replace what is not UTF-8. Ownership of @text goes in and out. */
static char *repair_utf8(char *text, size_t *size)
{
	size_t n = 0;
	char *out;

	text[*size] = 0;
	out = malloc(*size * 3 + 2);
	for (size_t i = 0; out && i < *size;) {
		uint32_t c;
		size_t length = text[i] ? utf8_decode(text + i, &c) : 1;

		if (length) {
			memcpy(out + n, text + i, length);
			n += length;
			i += length;
		} else {
			memcpy(out + n, REPLACEMENT, 3);
			n += 3;
			i += invalid_length((unsigned char *)text + i, *size - i);
		}
	}
	free(text);
	*size = n;
	return out;
}

static void close_iconv(iconv_t *cd)
{
	if (*cd != (iconv_t)-1)
		iconv_close(*cd);
}

/* From the encoding @name to UTF-8. Ownership of *@text goes in and out. */
static int convert(const char *name, char **text, size_t *size)
{
	_cleanup_(close_iconv) iconv_t cd = iconv_open("UTF-8", name);
	size_t in_left = *size, room = *size * 4 + 16, out_left = room - 2;
	char *out = cd == (iconv_t)-1 ? NULL : malloc(room), *to = out, *in = *text;

	if (cd == (iconv_t)-1)
		return -EILSEQ;
	if (!out)
		return -ENOMEM;
	while (in_left && iconv(cd, &in, &in_left, &to, &out_left) == (size_t)-1) {
		if (errno == E2BIG || out_left < 3)
			break;
		memcpy(to, REPLACEMENT, 3);
		to += 3;
		out_left -= 3;
		in++;
		in_left--;
	}
	free(*text);
	*text = out;
	*size = (size_t)(to - out);
	return 0;
}

static bool is_utf8_name(const char *name)
{
	return !strcmp(name, "utf-8") || !strcmp(name, "utf8") || !strcmp(name, "u8") || !strcmp(name, "utf") ||
	       !strncmp(name, "utf-8-", 6) || !strcmp(name, "cp65001");
}

static int decode(char **text, size_t *size)
{
	char name[COOKIE_MAX] = "utf-8";
	bool bom = *size >= 3 && !memcmp(*text, "\xef\xbb\xbf", 3);

	if (bom) {
		memmove(*text, *text + 3, *size - 3);
		*size -= 3;
	}
	if (is_ascii(*text, *size))
		return 0;
	if (!bom)
		find_encoding(*text, *size, name);
	if (!is_utf8_name(name))
		return convert(!strcmp(name, "latin-1") || !strncmp(name, "latin-1-", 8) ? "iso-8859-1" : name, text,
			       size);
	*text = repair_utf8(*text, size);
	return *text ? 0 : -ENOMEM;
}

static int find_lines(struct source *source)
{
	const char *end = source->text + source->size;
	uint32_t line = 1;
	size_t n = 0;

	for (const char *p = source->text; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	source->starts = malloc((n + 2) * sizeof(*source->starts));
	if (!source->starts)
		return -ENOMEM;
	source->n_lines = (uint32_t)n;
	source->starts[0] = source->starts[1] = 0;
	for (const char *p = source->text; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		source->starts[++line] = (uint32_t)(p + 1 - source->text);
	return 0;
}

int source_decode(const void *bytes, size_t n, struct source *ret)
{
	struct source source = {0};
	int r;

	if (n > SOURCE_SIZE_MAX)
		return -EFBIG;
	source.text = normalize(bytes, n, &source.size);
	if (!source.text)
		return -ENOMEM;
	r = decode(&source.text, &source.size);
	if (r == 0) {
		if (source.size && source.text[source.size - 1] != '\n')
			source.text[source.size++] = '\n';
		source.text[source.size] = 0;
		source.ascii = is_ascii(source.text, source.size);
		r = find_lines(&source);
	}
	if (r < 0)
		source_deinit(&source);
	else
		*ret = source;
	return r;
}

/* All of a file, which may grow or shrink meanwhile. */
static int read_all(int fd, char *bytes, size_t size, size_t *n)
{
	*n = 0;
	while (*n < size) {
		ssize_t got = read(fd, bytes + *n, size - *n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		*n += (size_t)got;
	}
	return 0;
}

int source_read(const char *path, struct source *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	size_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (st.st_size > (off_t)SOURCE_SIZE_MAX)
		return -EFBIG;
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	r = read_all(fd, bytes, (size_t)st.st_size, &n);
	return r < 0 ? r : source_decode(bytes, n, ret);
}

const char *source_line(const struct source *source, uint32_t line, size_t *n)
{
	if (!line || line > source->n_lines)
		return NULL;
	*n = source->starts[line + 1] - source->starts[line] - 1;
	return source->text + source->starts[line];
}
