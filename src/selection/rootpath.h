/**
 * Paths of a process whose root directory may be another one: seen through a prefix such as
 * `/proc/PID/root`, symbolic links resolved as that process would resolve them.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

/** Set up with rootpath_init(); remembers the directory it resolved last. */
struct rootpath {
	char *root; /* put in front of an absolute path; "" for our own root */
	char *last_dir, *last_real;
};

/** @p root is "", "/" or NULL for our own. */
int rootpath_init(struct rootpath *rp, const char *root) must_check;
void rootpath_deinit(struct rootpath *rp);

/**
 * Yield what os.path.realpath() would: links resolved within the root, no `.`, `..` or double
 * slashes; what does not exist, or goes in circles, is kept by name. @p path is absolute in the
 * root; the caller frees *@p ret. -ENAMETOOLONG: it is, or becomes, longer than 64 KiB. -ENOMEM.
 */
int rootpath_real(struct rootpath *rp, const char *path, char **ret) must_check;

/** True if @p path, which has no links in it, exists in the root; with @p dir, as a directory. */
bool rootpath_exists(const struct rootpath *rp, const char *path, bool dir);

/** Open @p path, which has no links in it, for reading; a descriptor or a negative errno. */
int rootpath_open(const struct rootpath *rp, const char *path, int flags) must_check;

/** True if @p path is @p dir or lies below it: whole components. */
bool path_is_within(const char *path, const char *dir);
