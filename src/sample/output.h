/** Where a profile goes: the table of formats, and the file. */
#pragma once

#include "sample/calltree.h"
#include "sample/profile.h"

#include <stdio.h>

/**
 * To add a format: a file format_NAME.c with one function, its row in output.c, a line in the manual, a test with the
 * exact text of a small profile. The function writes to @p out and need not look at its errors. -ENOMEM, -EOVERFLOW.
 */
struct profile_format {
	const char *name, *summary;
	const char *suffix;   /* of a file that is named for the user */
	bool binary;	      /* not for a terminal */
	bool by_default_file; /* goes to a file named for the user when no name is given, not to standard output */
	bool keep_order;      /* the profile must be made with it */
	int (*write)(const struct profile *p, const struct profile_view *view, FILE *out);
};

extern const struct profile_format *const profile_formats[]; /* NULL behind the last */

/** NULL: there is none of that name. */
const struct profile_format *profile_format_find(const char *name);

/** A file's name when the user gave none: "pycov-trace-PID-YYYY-MM-DDTHH:MM:SS.SUFFIX", to free; or NULL. */
char *profile_default_name(const struct profile_format *format, pid_t pid, int64_t unix_seconds);

/**
 * Write the profile to @p path, or to standard output if that is NULL or "-".
 *
 * A regular file is replaced as a whole, when all is written: a temporary file beside it is renamed; its mode is kept.
 * Devices, pipes and sockets are written to as they are. -EISDIR: it is a directory. Other errors are those of the
 * system calls.
 */
int profile_write(const struct profile *p, const struct profile_format *format, const struct profile_view *view,
		  const char *path) must_check;

/** The same, where the file can be opened before it is needed: say early that it cannot be written. -EISDIR, ... */
int profile_output_check(const char *path) must_check;

int format_folded(const struct profile *p, const struct profile_view *view, FILE *out);
int format_flamegraph(const struct profile *p, const struct profile_view *view, FILE *out);
int format_speedscope(const struct profile *p, const struct profile_view *view, FILE *out);
int format_pprof(const struct profile *p, const struct profile_view *view, FILE *out);
int format_gecko(const struct profile *p, const struct profile_view *view, FILE *out);
int format_table(const struct profile *p, const struct profile_view *view, FILE *out);
