#include "base/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_PREFIX "pycov-trace: "
#define LOG_TEXT_MAX 4096
#define LOG_LINE_MAX 6144

static _Atomic int log_level = LOG_LEVEL_WARNING;
static _Atomic int log_fd = STDERR_FILENO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

void log_set_fd(int fd)
{
	atomic_store_explicit(&log_fd, fd, memory_order_relaxed);
}

/** Controls, C1 controls (U+009B is a CSI), line separators, overrides of the text direction. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/** Length of the harmless UTF-8 sequence at @p s, or 0 if its first byte has to be escaped. */
static size_t printable_len(const unsigned char *s)
{
	uint32_t c;
	size_t len = utf8_decode((const char *)s, &c);

	return len && !is_control(c) ? len : 0;
}

/** Append @p text to the line of *@p len bytes, escaped; false if it had to be cut. */
static bool append_escaped(char *line, size_t *len, size_t max, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		size_t n = printable_len(s);

		if (*len + 4 > max)
			return false;
		if (n) {
			memcpy(line + *len, s, n);
			*len += n;
			s += n;
			continue;
		}
		line[(*len)++] = '\\';
		line[(*len)++] = 'x';
		line[(*len)++] = hex[*s >> 4];
		line[(*len)++] = hex[*s & 15];
		s++;
	}
	return true;
}

static void write_line(int fd, const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, line, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line += n;
		len -= (size_t)n;
	}
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	default:
		return "";
	}
}

void log_message(enum log_level level, const char *fmt, ...)
{
	int saved = errno, fd = atomic_load_explicit(&log_fd, memory_order_relaxed);
	char text[LOG_TEXT_MAX], line[LOG_LINE_MAX];
	size_t len;
	va_list ap;
	int n;

	if (fd < 0 || !log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0, text[0] = '\0';
	len = (size_t)snprintf(line, sizeof(line), LOG_PREFIX "%s", level_word(level));
	if (!append_escaped(line, &len, sizeof(line) - sizeof("...\n"), text) || (size_t)n >= sizeof(text)) {
		memcpy(line + len, "...", 3);
		len += 3;
	}
	line[len++] = '\n';
	write_line(fd, line, len);
	errno = saved;
}
