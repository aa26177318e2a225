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

/* Below .../lib/python3.X/ or .../dist-packages/: what comes with an interpreter, or was installed into it, be it one of
 * which no more is known than that. */
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

/*
 * Which interpreter ran it is not known any more. Each of them knows its own library, that nobody asked for; the packages
 * of a --source are those of any.
 */
static int judge(struct recorder *recorder, const struct sampler *s, const char *name, const char **ret)
{
	bool any = selection_has_source(recorder->selection);
	const char *path = NULL;

	*ret = NULL;
	for (size_t i = 0; i < s->n_runs; i++) {
		int r = recorder_judge(recorder, &s->runs[i], name, &path);

		if (r < 0)
			return r;
		if (path)
			*ret = path;
		if ((path != NULL) == any)
			break;
	}
	*ret = any || path ? *ret : NULL;
	return 0;
}

static int find_file(struct recorder *recorder, const struct sampler *s, struct record *rec, const char *file,
		     struct record_file **ret)
{
	const struct options *o = recorder->options;
	bool is_default = !o->pylib && !o->source.n && !o->include.n;
	const char *path = NULL;
	char name[PATH_MAX];
	int r;

	*ret = NULL;
	if (!full_name(file, s->cwd, name, sizeof(name)) || (is_default && is_library(name)))
		return 0;
	r = judge(recorder, s, name, &path);
	return r < 0 || !path ? r : record_file_get(rec, path, ret);
}

static int fill(struct recorder *recorder, const struct sampler *s, struct record *rec)
{
	_cleanup_free_ struct profile_source_line *lines = NULL;
	struct record_file *file = NULL;
	const char *last = NULL;
	size_t n;
	int r = profile_source_lines(s->profile, &lines, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!last || strcmp(last, lines[i].file) != 0) {
			last = lines[i].file;
			r = find_file(recorder, s, rec, last, &file);
		}
		if (r == 0 && file)
			r = add_line(rec, file, &lines[i]);
	}
	return r;
}

int sample_data_write(struct recorder *recorder, const struct sampler *s)
{
	struct datafile *file = &recorder->file;
	_cleanup_record_ struct record rec;
	int r = 0;

	record_init(&rec);
	if (recorder->options->append) {
		r = datafile_read(file, &rec);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0)
		r = fill(recorder, s, &rec);
	if (r == 0)
		r = datafile_write(file, &rec, false);
	return r < 0 ? complain(file, recorder->options->data_file, r) : 0;
}
