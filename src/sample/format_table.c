/* A table to be read in a terminal or a log: functions, then lines, by their own samples. */
#include "sample/output.h"

#include "sample/profile_totals.h"
#include "sample/short_name.h"
#include "sample/summary.h"

#define ROWS 25

struct row {
	struct profile_total counts;
	uint32_t frame;
};

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->counts.own.samples != y->counts.own.samples)
		return x->counts.own.samples < y->counts.own.samples ? 1 : -1;
	if (x->counts.total.samples != y->counts.total.samples)
		return x->counts.total.samples < y->counts.total.samples ? 1 : -1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

/* A row for each function, or each line of one: sorted, those without samples (they were cut off) last. */
static struct row *rows_new(const struct profile *p, bool functions, size_t *ret)
{
	size_t n = functions ? p->n_functions : p->n_frames;
	_cleanup_free_ uint32_t *group_of = calloc(p->n_frames + 1, sizeof(*group_of));
	_cleanup_free_ struct profile_total *totals = calloc(n + 1, sizeof(*totals));
	_cleanup_free_ struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!group_of || !totals || !rows)
		return NULL;
	for (uint32_t i = p->n_frames; i-- > 0;) {
		group_of[i] = functions ? p->frames[i].function : i;
		rows[group_of[i]].frame = i;
	}
	if (profile_totals(p, group_of, n, totals) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		rows[i].counts = totals[i];
	qsort(rows, n, sizeof(*rows), compare_rows);
	while (n > 0 && !rows[n - 1].counts.total.samples)
		n--;
	*ret = n;
	return take_ptr(rows);
}

static void put_row(const struct profile *p, const struct row *row, const char *label, FILE *out)
{
	const struct profile_total *c = &row->counts;

	fprintf(out, "%7.2f %7.2f %9.2f %9.2f  %s\n", summary_percent(c->own.samples, p->counts.samples),
		summary_percent(c->total.samples, p->counts.samples), (double)c->own.weight_ns / 1e9,
		(double)c->total.weight_ns / 1e9, label);
}

static int put_rows(const struct profile *p, const struct profile_view *view, const char *const *short_names,
		    bool functions, FILE *out)
{
	size_t n, top = view->top ? view->top : ROWS;
	_cleanup_free_ struct row *rows = rows_new(p, functions, &n);

	if (!rows)
		return -ENOMEM;
	fprintf(out, "\n   own%%  total%%     own s   total s  %s\n", functions ? "function" : "line");
	for (size_t i = 0; i < n && i < top; i++) {
		char label[33000];

		frame_label(label, sizeof(label), p, rows[i].frame, short_names, functions);
		put_row(p, &rows[i], label, out);
	}
	if (n > top)
		fprintf(out, "%42s(%zu more)\n", "", n - top);
	return 0;
}

int format_table(const struct profile *p, const struct profile_view *view, FILE *out)
{
	_cleanup_free_ const char **short_names = short_names_new(p);
	const char *const *names = view->full_filenames ? NULL : short_names;
	char text[4096];
	int r;

	if (!short_names)
		return -ENOMEM;
	summary_title(text, sizeof(text), p, view);
	fprintf(out, "%s\n", text);
	summary_line(text, sizeof(text), p);
	fprintf(out, "%s\n", text);
	if (summary_losses(text, sizeof(text), p))
		fprintf(out, "%s\n", text);
	r = put_rows(p, view, names, true, out);
	return r < 0 || view->functions ? r : put_rows(p, view, names, false, out);
}
