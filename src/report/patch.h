/**
 * Unified diffs, as git and diff(1) write them: which lines of which files are new.
 *
 * Context lines in any number, combined diffs of merges (`@@@`), quoted names, mail headers around it, and lines in
 * a hunk that look like headers are understood; binary changes, mode changes and pure renames have no lines.
 */
#pragma once

#include "base/cleanup.h"
#include "base/lineset.h"

#include <stddef.h>
#include <stdio.h>

struct patch_file {
	char *path;	      /* the new name, without the prefix "b/" or what stands for it */
	struct lineset added; /* lines of the new file that were added or changed */
};

/** All zeros is an empty one. The files are sorted by path, each is there once. */
struct patch {
	struct patch_file *files;
	size_t n;
};

/**
 * Read a whole diff. -EBADMSG: a hunk is cut off or damaged, in line *@p line of @p in. -EIO, -ENOMEM. Deleted files
 * are left out. Call patch_deinit() in each case.
 */
int patch_read(FILE *in, struct patch *ret, unsigned long *line) must_check;
void patch_deinit(struct patch *patch);
#define _cleanup_patch_ _cleanup_(patch_deinit)
