/**
 * What directories hold: read once, and again when they have changed. To look through a source when the command has ended,
 * while somebody waits, takes a tenth of the time after it was looked through before.
 */
#pragma once

#include "base/cleanup.h"
#include "base/hashmap.h"

#include <dirent.h>

/** All zeros but for the key: dir_cache_init(). */
struct dir_cache {
	struct hashmap map;
	struct hash_key key;
};

/** Sorted by name. */
struct dir_listing {
	struct dirent **entries;
	int n;
};

void dir_cache_init(struct dir_cache *cache);
void dir_cache_deinit(struct dir_cache *cache);
#define _cleanup_dir_cache_ _cleanup_(dir_cache_deinit)

/**
 * Yield the entries of the directory @p path for which @p wanted, the same for all of a cache, is not 0; good until the next
 * call for the same directory. Errors of scandir(3).
 */
int dir_cache_read(struct dir_cache *cache, const char *path, int (*wanted)(const struct dirent *entry),
		   const struct dir_listing **ret) must_check;
