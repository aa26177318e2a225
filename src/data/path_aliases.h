/**
 * Names of files as other machines have them, made those of this one: [paths] of the configuration. As in coverage.py
 * (coverage/files.py, PathAliases, 7.17.3): a name that begins with what one of the patterns matches gets the first
 * place of that list in its stead, if there is such a file; the first that does it counts.
 */
#pragma once

#include "base/cleanup.h"
#include "config/config.h"

struct path_aliases;

/**
 * The rules of @p config; relative places are so to the working directory of now. -EINVAL: a pattern is wrong; @p why,
 * of @p size bytes, names it. -ENOMEM.
 */
int path_aliases_new(const struct config *config, char *why, size_t size, struct path_aliases **ret) must_check;

/** NULL is accepted. */
void path_aliases_free(struct path_aliases *aliases);

/**
 * Yield what @p path becomes; good until the next call. With relative_files a name may add a rule for those
 * that come after it, so the order counts. -ENOMEM.
 */
int path_aliases_map(struct path_aliases *aliases, const char *path, const char **ret) must_check;
