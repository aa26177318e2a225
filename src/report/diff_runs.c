/* Two data files side by side. The sources are not needed, but to be shown. */
#include <errno.h>
#include <string.h>

#include "output/json_out.h"
#include "data/datafile.h"
#include "report/diff.h"
#include "report/diff_out.h"
#include "report/line_regex.h"
#include "selection/selection.h"

#define RED 31
#define GREEN 32

struct side {
	const char *path;
	struct record record;
	struct record_file **files;
	size_t n, next;
};

struct comparison {
	const struct diff_options *options;
	FILE *out;
	yajl_gen json;
	struct side a, b;
	struct glob_list include, omit;
	struct line_regex *contexts;
	char *cwd;
	uint64_t n_files, n_a, n_b, n_both;
	bool colour;
};

static void side_deinit(struct side *side)
{
	free(side->files);
	record_deinit(&side->record);
}

static void comparison_deinit(struct comparison *c)
{
	side_deinit(&c->a);
	side_deinit(&c->b);
	glob_list_deinit(&c->include);
	glob_list_deinit(&c->omit);
	line_regex_free(c->contexts);
	free(c->cwd);
}

static int side_read(struct side *side, char *why)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	int r = datafile_init(&file, side->path);

	if (r == 0)
		r = datafile_read_arcs(&file, &side->record);
	if (r == 0)
		r = record_sorted_files(&side->record, &side->files, &side->n);
	if (r < 0)
		snprintf(why, REPORT_WHY_MAX, "%s: %s", side->path, *file.why ? file.why : strerror(-r));
	return r;
}

static bool is_wanted(const struct comparison *c, const char *path)
{
	return (!c->options->report->include.n || glob_list_match(&c->include, path)) &&
	       !glob_list_match(&c->omit, path);
}

/* The next file of either side, in the order of their paths; the other is NULL where it has none of that name. */
static bool next_pair(struct comparison *c, const struct record_file **a, const struct record_file **b)
{
	*a = c->a.next < c->a.n ? c->a.files[c->a.next] : NULL;
	*b = c->b.next < c->b.n ? c->b.files[c->b.next] : NULL;
	if (*a && *b) {
		int order = strcmp((*a)->path, (*b)->path);

		if (order < 0)
			*b = NULL;
		else if (order > 0)
			*a = NULL;
	}
	c->a.next += *a != NULL;
	c->b.next += *b != NULL;
	return *a || *b;
}

/* ----------------------------------------------------------------------------------------------------- one file */

struct file_diff {
	const char *path;
	struct lineset a, b;	   /* what ran, then what ran there alone */
	struct lineset executable; /* of both: no line of it is passed over in a range */
	uint32_t n_both;
};

static void file_diff_deinit(struct file_diff *d)
{
	lineset_deinit(&d->a);
	lineset_deinit(&d->b);
	lineset_deinit(&d->executable);
}

static int add_side(const struct comparison *c, const struct record_file *file, struct lineset *lines,
		    struct lineset *executable)
{
	int r = 0;

	for (size_t i = 0; file && r == 0 && i < file->n_lines; i++)
		if (!c->contexts || line_regex_search(c->contexts, file->lines[i].context->name))
			r = lineset_or(lines, &file->lines[i].lines);
	if (file && r == 0)
		r = lineset_or(executable, &file->executable);
	if (r == 0)
		r = lineset_or(executable, lines);
	return r;
}

static int subtract(const struct lineset *from, const struct lineset *what, struct lineset *ret)
{
	int r = 0;

	for (uint32_t line = 0; r == 0 && (line = lineset_next(from, line));)
		if (!lineset_test(what, line))
			r = lineset_add(ret, line);
	return r;
}

static int compare_file(const struct comparison *c, const struct record_file *a, const struct record_file *b,
			struct file_diff *d)
{
	struct lineset ran_a = {0}, ran_b = {0};
	int r = add_side(c, a, &ran_a, &d->executable);

	d->path = a ? a->path : b->path;
	if (r == 0)
		r = add_side(c, b, &ran_b, &d->executable);
	if (r == 0)
		r = subtract(&ran_a, &ran_b, &d->a);
	if (r == 0)
		r = subtract(&ran_b, &ran_a, &d->b);
	d->n_both = ran_a.count - d->a.count;
	lineset_deinit(&ran_a);
	lineset_deinit(&ran_b);
	return r;
}

static void put_ranges(const struct comparison *c, const struct side *side, const struct file_diff *d,
		       const struct lineset *set, int colour)
{
	if (!set->count)
		return;
	fputs("  only in ", c->out);
	diff_out_name(c->out, side->path);
	fprintf(c->out, c->colour ? ": \033[%dm" : ": ", colour);
	diff_out_ranges(c->out, set, d->executable.count ? &d->executable : NULL);
	fputs(c->colour ? "\033[0m\n" : "\n", c->out);
}

static void put_text(const struct comparison *c, const struct file_diff *d)
{
	diff_out_name(c->out, diff_out_relative(d->path, c->cwd));
	fputc('\n', c->out);
	put_ranges(c, &c->a, d, &d->a, RED);
	put_ranges(c, &c->b, d, &d->b, GREEN);
	if (c->options->show_source) {
		_cleanup_source_ struct source source = {0};

		if (source_read(d->path, &source) < 0)
			fputs("  (its source cannot be read)\n", c->out);
		diff_out_source(c->out, &d->a, &source, '-', c->colour ? RED : 0);
		diff_out_source(c->out, &d->b, &source, '+', c->colour ? GREEN : 0);
	}
}

static void put_json(const struct comparison *c, const struct file_diff *d)
{
	diff_out_json_path(c->json, diff_out_relative(d->path, c->cwd));
	yajl_gen_map_open(c->json);
	diff_out_json_lines(c->json, "only_a", &d->a);
	diff_out_json_lines(c->json, "only_b", &d->b);
	json_out_member_int(c->json, "both", d->n_both);
	yajl_gen_map_close(c->json);
}

static int do_file(struct comparison *c, const struct record_file *a, const struct record_file *b)
{
	_cleanup_(file_diff_deinit) struct file_diff d = {0};
	int r = compare_file(c, a, b, &d);

	if (r < 0)
		return r;
	c->n_a += d.a.count;
	c->n_b += d.b.count;
	c->n_both += d.n_both;
	if (!d.a.count && !d.b.count)
		return 0;
	c->n_files++;
	if (c->json)
		put_json(c, &d);
	else
		put_text(c, &d);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ the whole */

static void begin_json(struct comparison *c)
{
	yajl_gen_map_open(c->json);
	json_out_object(c->json, "meta");
	json_out_member_int(c->json, "format", 1);
	json_out_member(c->json, "version", PYCOV_TRACE_VERSION);
	json_out_member(c->json, "a", c->a.path);
	json_out_member(c->json, "b", c->b.path);
	yajl_gen_map_close(c->json);
	json_out_object(c->json, "files");
}

static void end_json(struct comparison *c)
{
	yajl_gen_map_close(c->json);
	json_out_object(c->json, "totals");
	json_out_member_int(c->json, "files", (int64_t)c->n_files);
	json_out_member_int(c->json, "only_a", (int64_t)c->n_a);
	json_out_member_int(c->json, "only_b", (int64_t)c->n_b);
	json_out_member_int(c->json, "both", (int64_t)c->n_both);
	yajl_gen_map_close(c->json);
	yajl_gen_map_close(c->json);
}

static void put_summary(const struct comparison *c)
{
	if (!c->n_files) {
		fprintf(c->out, "No differences: %lu line%s in both.\n", c->n_both, c->n_both == 1 ? "" : "s");
		return;
	}
	fprintf(c->out, "\n%lu file%s: %lu line%s only in ", c->n_files, c->n_files == 1 ? " differs" : "s differ",
		c->n_a, c->n_a == 1 ? "" : "s");
	diff_out_name(c->out, c->a.path);
	fprintf(c->out, ", %lu only in ", c->n_b);
	diff_out_name(c->out, c->b.path);
	fprintf(c->out, ", %lu in both.\n", c->n_both);
}

static int compare(struct comparison *c)
{
	const struct record_file *a, *b;
	int r = 0;

	if (c->json)
		begin_json(c);
	while (r == 0 && next_pair(c, &a, &b))
		if (is_wanted(c, a ? a->path : b->path))
			r = do_file(c, a, b);
	if (c->json)
		end_json(c);
	else if (r == 0)
		put_summary(c);
	return r;
}

static int prepare(struct comparison *c, char *why)
{
	const struct report_options *o = c->options->report;
	int r = selection_add_patterns(&c->include, (const char *const *)o->include.items, why, REPORT_WHY_MAX);

	if (r == 0)
		r = selection_add_patterns(&c->omit, (const char *const *)o->omit.items, why, REPORT_WHY_MAX);
	if (r == 0 && o->contexts.n)
		r = line_regex_new(&o->contexts, why, REPORT_WHY_MAX, &c->contexts);
	if (r == 0)
		r = side_read(&c->a, why);
	if (r == 0)
		r = side_read(&c->b, why);
	return r;
}

int diff_runs(const struct diff_options *options, const char *a, const char *b, FILE *out, uint64_t *different,
	      char why[REPORT_WHY_MAX])
{
	_cleanup_(comparison_deinit) struct comparison c = {
		.options = options,
		.out = out,
		.a.path = a,
		.b.path = b,
		.cwd = diff_out_cwd(),
		.colour = diff_out_has_colour(out),
	};
	_cleanup_json_ yajl_gen json = NULL;
	int r;

	record_init(&c.a.record);
	record_init(&c.b.record);
	r = prepare(&c, why);
	if (r == 0 && options->json) {
		c.json = json = json_out_new(out, false);
		r = json ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = compare(&c);
	*different = c.n_a + c.n_b;
	return r;
}
