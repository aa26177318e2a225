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

/* The files of a profile, by the numbers of their names. */
struct sampled_file {
	bool is_known;
	struct record_file *file; /* NULL: not wanted */
};

struct filling {
	struct recorder *recorder;
	const struct sampler *sampler;
	struct record *rec;
	struct sampled_file *files;
};

/* The file of a frame; NULL if it is not wanted, or has no line. */
static int file_of(struct filling *f, uint32_t frame, struct record_file **ret)
{
	const struct profile *p = f->sampler->profile;
	const struct profile_function *function = &p->functions[p->frames[frame].function];
	struct sampled_file *file = &f->files[function->file];
	int r = 0;

	*ret = NULL;
	if (function->native || !p->frames[frame].line)
		return 0;
	if (!file->is_known)
		r = find_file(f->recorder, f->sampler, f->rec, p->strings[function->file], &file->file);
	file->is_known = true;
	*ret = file->file;
	return r;
}

/* A data file has lines or arcs, and sampling knows of no arcs. */
static int add_lines(struct filling *f)
{
	const struct profile *p = f->sampler->profile;
	struct record_file *file;
	struct lineset *lines;
	int r = 0;

	for (uint32_t i = 0; i < p->n_frames && r == 0; i++) {
		r = file_of(f, i, &file);
		if (r < 0 || !file || f->rec->has_arcs)
			continue;
		r = record_file_lines(f->rec, file, CONTEXT, &lines);
		if (r == 0)
			r = lineset_add(lines, p->frames[i].line);
		r = r == -ERANGE ? 0 : r;
	}
	return r;
}

/* To the innermost line of a file that is wanted. */
static int add_samples(struct filling *f, uint32_t node)
{
	const struct profile *p = f->sampler->profile;
	uint64_t samples = p->nodes[node].own.samples;
	struct record_file *file = NULL;
	int r = 0;

	for (; samples && node != PROFILE_NONE; node = p->nodes[node].parent) {
		uint32_t frame = p->nodes[node].frame;

		if (frame != PROFILE_NONE)
			r = file_of(f, frame, &file);
		if (r < 0)
			return r;
		if (!file)
			continue;
		r = record_file_add_samples(file, p->frames[frame].line, samples);
		return r == -ERANGE ? 0 : r;
	}
	return 0;
}

static int fill(struct recorder *recorder, const struct sampler *s, struct record *rec)
{
	_cleanup_free_ struct sampled_file *files = calloc(s->profile->n_strings + 1, sizeof(*files));
	struct filling f = {recorder, s, rec, files};
	int r = files ? add_lines(&f) : -ENOMEM;

	for (uint32_t i = 0; i < s->profile->n_nodes && r == 0; i++)
		r = add_samples(&f, i);
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
