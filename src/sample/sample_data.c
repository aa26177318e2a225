#include "sample/sample_data.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "data/datafile.h"

#define CONTEXT "sampled"

static int complain(const struct datafile *file, const char *path, int error)
{
	log_error("%s: %s", path, *file->why ? file->why : strerror(-error));
	return error;
}

int sample_data_check(const char *path)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	int r = datafile_init(&file, path);

	if (r == 0)
		r = datafile_check_writable(&file);
	return r < 0 ? complain(&file, path, r) : 0;
}

/* Below .../lib/python3.X/ or .../dist-packages/: what comes with an interpreter, or was installed into it. */
static bool is_library(const char *name)
{
	for (const char *p = name; (p = strstr(p, "/python3")); p++) {
		const char *end = p + strlen("/python3");

		if (*end == '.')
			end++;
		while (isdigit((unsigned char)*end))
			end++;
		if (*end == '/' && p - name >= 4 && !memcmp(p - 4, "/lib", 4))
			return true;
	}
	return strstr(name, "/site-packages/") || strstr(name, "/dist-packages/");
}

/* The absolute path of a file; false if it stands for none, as <string>. */
static bool full_name(const char *name, const char *cwd, char *buf, size_t size)
{
	if (*name == '<' || !*name)
		return false;
	if (*name == '/')
		return snprintf(buf, size, "%s", name) < (int)size;
	return cwd && snprintf(buf, size, "%s/%s", cwd, name) < (int)size;
}

static int add_line(struct record *rec, struct record_file *file, const struct profile_source_line *line)
{
	struct lineset *lines;
	int r = 0;

	/* A data file has lines or arcs, and sampling knows of no arcs. */
	if (!rec->has_arcs) {
		r = record_file_lines(rec, file, CONTEXT, &lines);
		if (r == 0)
			r = lineset_add(lines, line->line);
	}
	if (r == 0 && line->own.samples)
		r = record_file_add_samples(file, line->line, line->own.samples);
	return r == -ERANGE ? 0 : r;
}

static int fill(struct record *rec, const struct profile *p, const char *cwd)
{
	_cleanup_free_ struct profile_source_line *lines = NULL;
	struct record_file *file = NULL;
	const char *last = NULL;
	char name[PATH_MAX];
	size_t n;
	int r = profile_source_lines(p, &lines, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!last || strcmp(last, lines[i].file) != 0) {
			last = lines[i].file;
			file = NULL;
			if (full_name(last, cwd, name, sizeof(name)) && !is_library(name))
				r = record_file_get(rec, name, &file);
		}
		if (r == 0 && file)
			r = add_line(rec, file, &lines[i]);
	}
	return r;
}

int sample_data_write(const struct profile *p, const char *path, bool append, const char *cwd)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	_cleanup_record_ struct record rec;
	int r = datafile_init(&file, path);

	record_init(&rec);
	if (r == 0 && append) {
		r = datafile_read(&file, &rec);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = fill(&rec, p, cwd);
	if (r == 0)
		r = datafile_write(&file, &rec, false);
	return r < 0 ? complain(&file, path, r) : 0;
}
