/*
 * Two files with the same contents are recognised by a keyed hash, which nobody can prepare a collision for; only those
 * are hashed that have the size of another. coverage.py takes the hash in a file's name for its contents. That of
 * a process that saved twice may be out of date (before 7.17), so here such a file is read, which loses nothing.
 */
#include "data/combine.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/hashmap.h"
#include "base/log.h"
#include "data/data_files.h"
#include "data/datafile.h"
#include "data/path_aliases.h"
#include "data/record.h"

#define CHUNK (1 << 20)

struct digest {
	uint64_t h[2];
};

/* One of the files to combine. */
struct part {
	const char *path; /* absolute */
	off_t size;	  /* -1: it cannot be looked at */
	bool has_digest, remove;
	struct digest digest;
};

struct combination {
	const struct combine_options *options;
	struct combine_result *result;
	struct path_aliases *aliases;
	struct datafile file; /* the result */
	char *file_path;      /* absolute */
	struct record record;
	bool has_data; /* lines or arcs are in the record */
	struct string_list paths;
	struct part *parts; /* as many as paths */
	struct hash_key keys[2];
	struct timespec start;
	char *why;
};

static int fail(struct combination *c, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct combination *c, int r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->why, COMBINE_WHY_MAX, fmt, args);
	va_end(args);
	return r;
}

static int out_of_memory(struct combination *c)
{
	return fail(c, -ENOMEM, "out of memory");
}

/* --------------------------------------------------------------------------------------------------- the same twice */

static bool read_digest(struct combination *c, struct part *part)
{
	_cleanup_close_ int fd = open(part->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ unsigned char *buf = malloc(sizeof(struct digest) + CHUNK);
	struct digest digest = {{0}};
	off_t left = part->size;
	ssize_t n = 0;

	if (fd < 0 || !buf)
		return false;
	while (left > 0 && (n = read(fd, buf + sizeof(digest), CHUNK)) > 0) {
		if (left == part->size && (n < 16 || memcmp(buf + sizeof(digest), "SQLite format 3", 16)))
			return false;
		memcpy(buf, &digest, sizeof(digest));
		for (int i = 0; i < 2; i++)
			digest.h[i] = hash_bytes(&c->keys[i], buf, sizeof(digest) + (size_t)n);
		left -= n;
	}
	part->digest = digest;
	part->has_digest = left == 0;
	return part->has_digest;
}

static bool same_size(const void *entry, const void *key)
{
	return ((const struct part *)entry)->size == *(const off_t *)key;
}

/* One that could not be read, as it was locked, say, is not in the result: another like it is tried. */
static bool same_digest(const void *entry, const void *key)
{
	const struct part *part = entry;

	return part->remove && !memcmp(&part->digest, key, sizeof(struct digest));
}

/* What was seen so far: by size, and those of which there are several by digest. */
struct seen {
	struct hashmap sizes, digests;
};

static int is_repeated(struct combination *c, struct seen *seen, struct part *part, bool *ret)
{
	uint64_t hash = hash_bytes(&c->keys[0], &part->size, sizeof(part->size));
	struct part *other = hashmap_find(&seen->sizes, hash, same_size, &part->size);

	*ret = false;
	if (part->size <= 0)
		return 0;
	if (!other)
		return hashmap_add(&seen->sizes, hash, part);
	/* the first of its size was not hashed until now */
	if (!other->has_digest && read_digest(c, other) && hashmap_add(&seen->digests, other->digest.h[0], other) < 0)
		return -ENOMEM;
	if (!read_digest(c, part))
		return 0;
	*ret = hashmap_find(&seen->digests, part->digest.h[0], same_digest, &part->digest) != NULL;
	return *ret ? 0 : hashmap_add(&seen->digests, part->digest.h[0], part);
}

/* ----------------------------------------------------------------------------------------------------------- merging */

static int refuse_mixture(struct combination *c, const struct part *part, const struct record *record)
{
	return fail(c, -EINVAL,
		    record->has_arcs ? "Can't combine branch coverage data with statement data: "
				       "data file '%s' measured branch coverage, but data file '%s' didn't"
				     : "Can't combine statement coverage data with branch data: "
				       "data file '%s' didn't measure branch coverage, but data file '%s' did",
		    part->path, c->file_path);
}

static int map_path(void *arg, const char *path, const char **ret)
{
	return path_aliases_map(arg, path, ret);
}

static int merge(struct combination *c, const struct part *part, const struct record *record)
{
	bool data = record_has_lines(record);
	int r;

	if (data && c->has_data && record->has_arcs != c->record.has_arcs)
		return refuse_mixture(c, part, record);
	r = record_merge_mapped(&c->record, record, map_path, c->aliases);
	if (r == -EEXIST)
		return fail(c, -EINVAL, "Conflicting file tracer name for a file of %s", part->path);
	if (r < 0)
		return out_of_memory(c);
	if (data && !c->has_data)
		c->record.has_arcs = record->has_arcs;
	c->has_data |= data;
	return 0;
}

/* One part read and merged; one that cannot be read is none. */
static int take_part(struct combination *c, struct part *part)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	_cleanup_record_ struct record record;
	int r;

	record_init(&record);
	r = datafile_init(&file, part->path);
	if (r == 0)
		r = part->size == 0 ? -ENODATA : datafile_read_any(&file, &record);
	if (r == -ENOMEM)
		return out_of_memory(c);
	if (r < 0) {
		log_warning("cannot combine %s: %s", part->path, r == -ENODATA ? "it is empty" : file.why);
		c->result->errored++;
		return 0;
	}
	r = merge(c, part, &record);
	if (r < 0)
		return r;
	if (c->options->debug)
		log_error("combined %s: %zu files", part->path, record.files.count);
	c->result->combined++;
	part->remove = true;
	return 0;
}

/* For a person who waits. */
static void show_progress(const struct combination *c, size_t done)
{
	struct timespec now;

	if (done % 16 && done != c->paths.n)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - c->start.tv_sec < 2 || !isatty(2) || !log_enabled(LOG_LEVEL_WARNING))
		return;
	fprintf(stderr, done == c->paths.n ? "\r\033[K" : "\rcombining: %zu of %zu files", done, c->paths.n);
	fflush(stderr);
}

static int take_all(struct combination *c, struct seen *seen)
{
	int r = 0;

	for (size_t i = 0; i < c->paths.n && r == 0; i++) {
		struct part *part = &c->parts[i];
		bool repeated;

		if (!strcmp(part->path, c->file_path))
			continue;
		if (is_repeated(c, seen, part, &repeated) < 0)
			return out_of_memory(c);
		if (repeated) {
			if (c->options->debug)
				log_error("skipped %s: there is the same already", part->path);
			c->result->skipped++;
			part->remove = true;
		} else {
			r = take_part(c, part);
		}
		show_progress(c, i + 1);
	}
	return r;
}

static void remove_parts(struct combination *c)
{
	for (size_t i = 0; i < c->paths.n; i++)
		if (c->parts[i].remove && unlink(c->parts[i].path) < 0 && errno != ENOENT)
			log_warning("cannot remove %s: %s", c->parts[i].path, strerror(errno));
}

/* ---------------------------------------------------------------------------------------------------------- the whole */

static int find_parts(struct combination *c)
{
	const struct combine_options *o = c->options;
	const char *missing = "";
	int r = data_files_find(o->data_file, o->paths, o->n_paths, &c->paths, &missing);

	if (r == -ENOENT)
		return fail(c, r, "Couldn't combine from non-existent path '%s'", missing);
	if (r < 0)
		return out_of_memory(c);
	if (!c->paths.n)
		return fail(c, -ENODATA, "No data to combine");
	c->parts = calloc(c->paths.n, sizeof(*c->parts));
	if (!c->parts)
		return out_of_memory(c);
	for (size_t i = 0; i < c->paths.n; i++) {
		struct stat st;

		c->parts[i].path = c->paths.items[i];
		c->parts[i].size = stat(c->paths.items[i], &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
	}
	return 0;
}

static int read_old(struct combination *c)
{
	int r = datafile_read_any(&c->file, &c->record);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(c, r == -EINVAL ? -EBADMSG : r, "cannot append to %s: %s", c->options->data_file,
			    c->file.why);
	c->has_data = record_has_lines(&c->record);
	return 0;
}

static int combine_parts(struct combination *c)
{
	struct seen seen = {{0}, {0}};
	int r = take_all(c, &seen);

	hashmap_deinit(&seen.sizes);
	hashmap_deinit(&seen.digests);
	if (r < 0)
		return r;
	if (!c->result->combined)
		return fail(c, -ENODATA, "No usable data files");
	r = datafile_write(&c->file, &c->record, false);
	if (r < 0)
		return fail(c, r, "cannot write %s: %s", c->options->data_file, c->file.why);
	if (!c->options->keep)
		remove_parts(c);
	return 0;
}

static int prepare(struct combination *c, const struct config *config)
{
	int r = path_aliases_new(config, c->why, COMBINE_WHY_MAX, &c->aliases);

	if (r < 0)
		return r;
	if (data_file_absolute(c->options->data_file, &c->file_path) < 0)
		return out_of_memory(c);
	r = find_parts(c);
	if (r < 0)
		return r;
	r = datafile_init(&c->file, c->options->data_file);
	if (r == 0)
		r = datafile_check_writable(&c->file);
	if (r < 0)
		return fail(c, r, "cannot write %s: %s", c->options->data_file, c->file.why);
	return 0;
}

int combine(const struct combine_options *options, const struct config *config, struct combine_result *result,
	    char why[COMBINE_WHY_MAX])
{
	struct combination c = {.options = options, .result = result, .why = why, .file.dirfd = -1};
	int r;

	*result = (struct combine_result){0};
	record_init(&c.record);
	hash_key_init(&c.keys[0]);
	hash_key_init(&c.keys[1]);
	clock_gettime(CLOCK_MONOTONIC, &c.start);
	r = prepare(&c, config);
	if (r == 0) {
		/* others that add to the file wait */
		flock(c.file.dirfd, LOCK_EX);
		if (options->append)
			r = read_old(&c);
		if (r == 0)
			r = combine_parts(&c);
	}
	datafile_deinit(&c.file);
	record_deinit(&c.record);
	path_aliases_free(c.aliases);
	string_list_deinit(&c.paths);
	free(c.parts);
	free(c.file_path);
	return r;
}
