/**
 * Messages to the user: one line each, `pycov-trace: ` in front, one write(2) per line.
 *
 * What a message quotes (file names, qualified names) comes from hostile targets: control
 * characters and bytes that are not UTF-8 are written as `\xNN`. Over-long lines are cut and end
 * in `...`. errno is kept. May be called from several threads; not from a signal handler. Ignore
 * SIGPIPE in a program that uses this.
 */
#pragma once

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING, /* the level at the start */
	LOG_LEVEL_INFO,	   /* -v */
	LOG_LEVEL_DEBUG,
};

/** Show messages up to and including @p level. */
void log_set_level(enum log_level level);

/** True if a message of @p level would be shown. */
bool log_enabled(enum log_level level);

/** Write to @p fd from now on (2 at the start); -1 discards. The caller keeps the descriptor. */
void log_set_fd(int fd);

void log_message(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_at_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at_(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* The arguments of a message that is not shown are not evaluated. */
#define log_at_(level, ...)                                                                                            \
	do {                                                                                                           \
		if (log_enabled(level))                                                                                \
			log_message(level, __VA_ARGS__);                                                               \
	} while (0)
