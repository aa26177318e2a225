#include "selection/dir_cache.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* How coarse, and how wrong, the times of a file system may be. */
#define SETTLED_SECONDS 4

struct known_dir {
	char *path;
	dev_t dev;
	ino_t ino;
	struct timespec mtime, ctime;
	bool is_settled; /* a change after the reading shows in its times */
	struct dir_listing listing;
};

void dir_cache_init(struct dir_cache *cache)
{
	*cache = (struct dir_cache){0};
	hash_key_init(&cache->key);
}

static void listing_deinit(struct dir_listing *listing)
{
	for (int i = 0; i < listing->n; i++)
		free(listing->entries[i]);
	free(listing->entries);
	*listing = (struct dir_listing){0};
}

static void known_dir_free(struct known_dir *dir)
{
	if (!dir)
		return;
	listing_deinit(&dir->listing);
	free(dir->path);
	free(dir);
}

void dir_cache_deinit(struct dir_cache *cache)
{
	for (size_t i = 0; i < cache->map.n_slots; i++)
		known_dir_free(cache->map.slots[i].entry);
	hashmap_deinit(&cache->map);
}

static bool has_path(const void *entry, const void *key)
{
	return !strcmp(((const struct known_dir *)entry)->path, key);
}

static int find(struct dir_cache *cache, const char *path, struct known_dir **ret)
{
	uint64_t hash = hash_bytes(&cache->key, path, strlen(path));
	struct known_dir *dir = hashmap_find(&cache->map, hash, has_path, path);
	int r = 0;

	if (!dir) {
		dir = calloc(1, sizeof(*dir));
		if (dir)
			dir->path = strdup(path);
		r = dir && dir->path ? hashmap_add(&cache->map, hash, dir) : -ENOMEM;
	}
	if (r < 0) {
		known_dir_free(dir);
		return r;
	}
	*ret = dir;
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_as_it_was(const struct known_dir *dir, const struct stat *st)
{
	return dir->is_settled && dir->dev == st->st_dev && dir->ino == st->st_ino &&
	       same_time(dir->mtime, st->st_mtim) && same_time(dir->ctime, st->st_ctim);
}

int dir_cache_read(struct dir_cache *cache, const char *path, int (*wanted)(const struct dirent *entry),
		   const struct dir_listing **ret)
{
	struct known_dir *dir;
	struct stat st;
	int r, n;

	if (stat(path, &st) < 0)
		return -errno;
	r = find(cache, path, &dir);
	if (r < 0)
		return r;
	if (!is_as_it_was(dir, &st)) {
		listing_deinit(&dir->listing);
		dir->dev = st.st_dev;
		dir->ino = st.st_ino;
		dir->mtime = st.st_mtim;
		dir->ctime = st.st_ctim;
		dir->is_settled = false;
		n = scandir(path, &dir->listing.entries, wanted, alphasort);
		if (n < 0)
			return -errno;
		dir->listing.n = n;
		dir->is_settled = time(NULL) - st.st_ctim.tv_sec > SETTLED_SECONDS &&
				  time(NULL) - st.st_mtim.tv_sec > SETTLED_SECONDS;
	}
	*ret = &dir->listing;
	return 0;
}
