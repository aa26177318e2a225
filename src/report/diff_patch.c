/*
 * Of the lines that a change adds, those count that belong to a statement which counts; each statement once. So the
 * numbers are those of the other reports, for a part of the file.
 */
#include <errno.h>
#include <string.h>

#include "output/json_out.h"
#include "report/diff.h"
#include "report/diff_out.h"
#include "report/names.h"

#define RED 31

/* A file of the patch, by its absolute name without links. */
struct changed {
	char *real;
	const struct patch_file *file;
	bool measured;
};

struct row {
	char *name; /* as it is shown */
	char *path;
	struct lineset changed, missing, statements;
};

struct judgement {
	const struct diff_options *options;
	FILE *out;
	char *cwd;
	struct changed *changes;
	size_t n_changes;
	struct row *rows;
	size_t n_rows;
	uint64_t n_changed, n_missing;
};

static void judgement_deinit(struct judgement *j)
{
	for (size_t i = 0; i < j->n_changes; i++)
		free(j->changes[i].real);
	for (size_t i = 0; i < j->n_rows; i++) {
		free(j->rows[i].name);
		free(j->rows[i].path);
		lineset_deinit(&j->rows[i].changed);
		lineset_deinit(&j->rows[i].missing);
		lineset_deinit(&j->rows[i].statements);
	}
	free(j->changes);
	free(j->rows);
	free(j->cwd);
}

/* ------------------------------------------------------------------------------------------------- which files */

static int compare_changes(const void *a, const void *b)
{
	return strcmp(((const struct changed *)a)->real, ((const struct changed *)b)->real);
}

static int compare_name(const void *name, const void *changed)
{
	return strcmp(name, ((const struct changed *)changed)->real);
}

static int resolve(struct judgement *j, const struct patch *patch, const char *top)
{
	j->changes = calloc(patch->n + 1, sizeof(*j->changes));
	if (!j->changes)
		return -ENOMEM;
	for (size_t i = 0; i < patch->n; i++) {
		_cleanup_free_ char *path = NULL;
		char *real;

		if (asprintf(&path, "%s/%s", top, patch->files[i].path) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		real = realpath(path, NULL);
		j->changes[j->n_changes++] = (struct changed){real ? real : take_ptr(path), &patch->files[i], false};
	}
	if (j->n_changes)
		qsort(j->changes, j->n_changes, sizeof(*j->changes), compare_changes);
	return 0;
}

static struct changed *find_change(const struct judgement *j, const char *path)
{
	_cleanup_free_ char *real = NULL;
	struct changed *found;

	if (!j->n_changes)
		return NULL;
	found = bsearch(path, j->changes, j->n_changes, sizeof(*j->changes), compare_name);
	if (found)
		return found;
	real = realpath(path, NULL); /* recorded by another name, or relative to here */
	return real ? bsearch(real, j->changes, j->n_changes, sizeof(*j->changes), compare_name) : NULL;
}

static bool is_changed(void *arg, const char *path)
{
	return find_change(arg, path) != NULL;
}

/* ------------------------------------------------------------------------------------------------------- one file */

static int judge_lines(const struct analysis *a, const struct lineset *added, struct row *row)
{
	int r = 0;

	for (uint32_t line = 0; r == 0 && (line = lineset_next(added, line)) && line <= a->n_lines;) {
		uint32_t first = analysis_first_line(a, line);

		if (!(a->lines[first] & LINE_STATEMENT))
			continue;
		r = lineset_add(&row->changed, first);
		if (r == 0 && analysis_is_missing(a, first))
			r = lineset_add(&row->missing, first);
	}
	for (uint32_t line = 1; r == 0 && row->missing.count && line <= a->n_lines; line++)
		if (a->lines[line] & LINE_STATEMENT)
			r = lineset_add(&row->statements, line);
	return r;
}

static int add_row(struct judgement *j, const struct analysis *a, struct changed *change)
{
	struct row *rows = realloc(j->rows, (j->n_rows + 1) * sizeof(*rows)), *row;
	int r;

	if (!rows)
		return -ENOMEM;
	change->measured = true;
	j->rows = rows;
	row = &rows[j->n_rows++];
	*row = (struct row){.name = strdup(a->name), .path = strdup(a->file->path)};
	r = row->name && row->path ? judge_lines(a, &change->file->added, row) : -ENOMEM;
	j->n_changed += row->changed.count;
	j->n_missing += row->missing.count;
	return r;
}

static int judge_files(struct judgement *j, char *why)
{
	struct report *report = NULL;
	struct analysis a;
	int found, r = report_open(j->options->report, why, &report);

	if (r < 0)
		return r;
	report_keep(report, is_changed, j);
	while (r == 0 && (found = report_next(report, &a, why)) != 0) {
		r = found < 0 ? found : add_row(j, &a, find_change(j, a.file->path));
		if (found > 0)
			analysis_deinit(&a);
	}
	report_close(report);
	return r;
}

/* ---------------------------------------------------------------------------------------------------- what is said */

static double covered(uint64_t missing, uint64_t of)
{
	return of ? 100.0 * (double)(of - missing) / (double)of : 100.0;
}

static bool is_python(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".py") || !strcmp(dot, ".pyw"));
}

static bool is_unmeasured(const struct changed *change)
{
	return !change->measured && change->file->added.count && is_python(change->file->path);
}

static void put_row(const struct judgement *j, const char *name, size_t width, uint64_t changed, uint64_t missing)
{
	size_t n = name_width(name);
	char text[PERCENT_TEXT_MAX];

	percent_format(covered(missing, changed), j->options->report->precision, text);
	fprintf(j->out, "%s%*s %9lu %6lu %*s%%", name, (int)(width > n ? width - n : 0), "", changed, missing,
		j->options->report->precision + 6, text);
}

static void put_rule(const struct judgement *j, size_t width)
{
	for (size_t i = 0; i < width + 35 + (size_t)j->options->report->precision; i++)
		fputc('-', j->out);
	fputc('\n', j->out);
}

static int put_file(const struct judgement *j, const struct row *row, size_t width, bool colour)
{
	_cleanup_free_ char *name = name_printable(row->name);

	if (!name)
		return -ENOMEM;
	put_row(j, name, width, row->changed.count, row->missing.count);
	if (row->missing.count) {
		fputs(colour ? "   \033[31m" : "   ", j->out);
		diff_out_ranges(j->out, &row->missing, &row->statements);
		fputs(colour ? "\033[0m" : "", j->out);
	}
	fputc('\n', j->out);
	if (j->options->show_source && row->missing.count) {
		_cleanup_source_ struct source source = {0};

		if (source_read(row->path, &source) == 0)
			diff_out_source(j->out, &row->missing, &source, '!', colour ? RED : 0);
	}
	return 0;
}

static void put_unmeasured(const struct judgement *j)
{
	for (size_t i = 0; i < j->n_changes; i++)
		if (is_unmeasured(&j->changes[i])) {
			fputs("Not in the data: ", j->out);
			diff_out_name(j->out, diff_out_relative(j->changes[i].real, j->cwd));
			fputc('\n', j->out);
		}
}

static int put_text(const struct judgement *j)
{
	bool colour = diff_out_has_colour(j->out);
	size_t width = strlen("TOTAL");
	int r = 0;

	for (size_t i = 0; i < j->n_rows; i++)
		if (name_width(j->rows[i].name) > width)
			width = name_width(j->rows[i].name);
	fprintf(j->out, "%-*s   Changed   Miss %*s   Missing\n", (int)width, "Name", j->options->report->precision + 7,
		"Cover");
	put_rule(j, width);
	for (size_t i = 0; r == 0 && i < j->n_rows; i++)
		if (j->rows[i].changed.count)
			r = put_file(j, &j->rows[i], width, colour);
	put_rule(j, width);
	put_row(j, "TOTAL", width, j->n_changed, j->n_missing);
	fputc('\n', j->out);
	put_unmeasured(j);
	return r;
}

static void put_percent(yajl_gen json, uint64_t missing, uint64_t of)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%.6f", covered(missing, of));

	json_out_key(json, "percent_covered");
	yajl_gen_number(json, text, (size_t)n);
}

static int put_json(const struct judgement *j)
{
	_cleanup_json_ yajl_gen json = json_out_new(j->out, false);

	if (!json)
		return -ENOMEM;
	yajl_gen_map_open(json);
	json_out_object(json, "meta");
	json_out_member_int(json, "format", 1);
	json_out_member(json, "version", PYCOV_TRACE_VERSION);
	yajl_gen_map_close(json);
	json_out_object(json, "files");
	for (size_t i = 0; i < j->n_rows; i++) {
		diff_out_json_path(json, j->rows[i].name);
		yajl_gen_map_open(json);
		diff_out_json_lines(json, "changed_lines", &j->rows[i].changed);
		diff_out_json_lines(json, "missing_lines", &j->rows[i].missing);
		put_percent(json, j->rows[i].missing.count, j->rows[i].changed.count);
		yajl_gen_map_close(json);
	}
	yajl_gen_map_close(json);
	json_out_array(json, "not_in_the_data");
	for (size_t i = 0; i < j->n_changes; i++)
		if (is_unmeasured(&j->changes[i]))
			json_out_string(json, diff_out_relative(j->changes[i].real, j->cwd));
	yajl_gen_array_close(json);
	json_out_object(json, "totals");
	json_out_member_int(json, "changed_lines", (int64_t)j->n_changed);
	json_out_member_int(json, "missing_lines", (int64_t)j->n_missing);
	put_percent(json, j->n_missing, j->n_changed);
	yajl_gen_map_close(json);
	yajl_gen_map_close(json);
	return 0;
}

int diff_patch(const struct diff_options *options, const struct patch *patch, const char *top, FILE *out, double *total,
	       char why[REPORT_WHY_MAX])
{
	_cleanup_(judgement_deinit) struct judgement j = {.options = options, .out = out, .cwd = diff_out_cwd()};
	int r = resolve(&j, patch, top);

	if (r == 0)
		r = judge_files(&j, why);
	if (r == 0)
		r = options->json ? put_json(&j) : put_text(&j);
	*total = covered(j.n_missing, j.n_changed);
	return r;
}
