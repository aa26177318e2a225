/**
 * The text of a Python source file, as coverage.py sees it: decoded by its encoding cookie to
 * UTF-8 (what cannot be decoded is U+FFFD), line ends as `\n`, form feeds as spaces, and a line
 * end at the end (coverage/python.py, 7.17.3, get_python_source()).
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_SIZE_MAX (UINT32_C(1) << 28)

struct source {
	char *text; /* NUL-terminated; it may contain NULs */
	size_t size;
	uint32_t n_lines;
	uint32_t *starts; /* of line n at starts[n], n from 1 to n_lines + 1 */
	bool ascii;
};

/**
 * Read the file @p path. -ENOENT, -EACCES, -EISDIR, ...: it cannot be read; -ENOTSUP: it is no
 * regular file; -EFBIG: it is above SOURCE_SIZE_MAX; -EILSEQ: its encoding is not known.
 */
int source_read(const char *path, struct source *ret) must_check;

/** The same from the bytes of a file. */
int source_decode(const void *bytes, size_t n, struct source *ret) must_check;

/** Line @p line without its line end, *@p n bytes long; NULL if there is no such line. */
const char *source_line(const struct source *source, uint32_t line, size_t *n);

/** Free what it holds; all zeros afterwards. */
void source_deinit(struct source *source);
#define _cleanup_source_ _cleanup_(source_deinit)
