/**
 * File patterns as coverage.py has them (coverage/files.py, 7.17.3, globs_to_regex()).
 *
 * `*` and `?` do not match a slash; `**` stands for whole directories, any number of them; `*` and
 * a slash at the beginning is any prefix that ends in a slash, or none; a slash and `*` at the end
 * is anything below; a pattern without a slash matches the last component; `[...]` is a set as in
 * Python's `re`, so `[^a]` negates and `[!a]` does not. Slash and backslash are the same, on both
 * sides. The whole path must match. Characters are code points; bytes that are not UTF-8 are one
 * character each.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct glob;

/**
 * Compile @p pattern as it stands: see glob_list_add() for what coverage.py does to relative ones.
 * -EINVAL: it is not a pattern; @p why (of @p size bytes, may be NULL) says so and names it.
 */
int glob_new(const char *pattern, char *why, size_t size, struct glob **ret) must_check;

/** NULL is accepted. */
void glob_free(struct glob *glob);

/** -ENOMEM counts as no match; time is bounded by the product of the lengths. */
bool glob_match(const struct glob *glob, const char *path);

/** The length in bytes of the longest beginning of @p path that matches, letters of ASCII in either case; 0: none. */
size_t glob_match_prefix(const struct glob *glob, const char *path);

/** Patterns of which any may match. All zeros is the empty list, which matches nothing. */
struct glob_list {
	struct glob **globs;
	size_t n;
};

/** Compile @p pattern into the list. Errors as glob_new(). */
int glob_list_add(struct glob_list *list, const char *pattern, char *why, size_t size) must_check;

bool glob_list_match(const struct glob_list *list, const char *path);
void glob_list_deinit(struct glob_list *list);
