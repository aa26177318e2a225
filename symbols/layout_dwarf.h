/**
 * A layout held against the debug information of the build, where there is any: what the compiler made of the very
 * structs. For tests and for people who doubt; nothing depends on it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct layout;

struct layout_check {
	const char *name; /* "tstate.current_frame" */
	const char *type; /* the struct it was looked for in, "" if that is not there */
	int32_t expected; /* by the layout */
	int32_t found;	  /* by the debug information; LAYOUT_ABSENT: it does not have it */
};

typedef void layout_check_fn(void *arg, const struct layout_check *check);

/** What was compared, and what came out. */
struct layout_dwarf_result {
	unsigned int right, wrong, missing; /* fields; missing: not to be found in the debug information */
};

/**
 * Compare @p layout with the debug information in the file open at @p fd. @p fn, which may be NULL, is called for each
 * field. -ENOENT: there is none in the file, or none of C that has CPython's structs. -EBADMSG, -ENOMEM.
 */
must_check int layout_dwarf_check(int fd, const struct layout *layout, layout_check_fn *fn, void *arg,
				  struct layout_dwarf_result *ret);

#define DEBUG_FILE_PATH_SIZE 4096

/**
 * Open the file with the debug information of the ELF file @p fd, which was found at @p path below @p root ("" or as
 * /proc/PID/root): itself, by its build id below /usr/lib/debug, or by its .gnu_debuglink. The descriptor, and in
 * @p found what it is called; -ENOENT: there is none.
 */
must_check int debug_file_open(int fd, const char *root, const char *path, char found[DEBUG_FILE_PATH_SIZE]);
