/* The table on the terminal, and the same in Markdown: coverage/report.py, 7.17.3. */
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "report/formats.h"
#include "report/names.h"

enum column { COLUMN_NAME, COLUMN_STMTS, COLUMN_MISS, COLUMN_BRANCH, COLUMN_BRPART, COLUMN_COVER, COLUMN_MISSING };

#define N_COLUMNS 7

static const char *const titles[] = {"Name", "Stmts", "Miss", "Branch", "BrPart", "Cover", "Missing"};

struct row {
	char *name, *missing;
	struct numbers numbers;
};

struct table {
	const struct report_options *options;
	FILE *out;
	bool branches, colour;
	struct row *rows;
	size_t n, room;
	struct numbers total;
	uint64_t n_skipped, n_empty;
	size_t name_width, cover_width;
	char *line; /* being built */
	size_t length;
};

static void table_deinit(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->rows[i].name);
		free(t->rows[i].missing);
	}
	free(t->rows);
	free(t->line);
}

static int add_row(struct table *t, const struct analysis *a)
{
	struct row *row;

	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		struct row *rows = reallocarray(t->rows, room, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->room = room;
	}
	row = &t->rows[t->n++];
	*row = (struct row){.name = name_printable(a->name), .numbers = a->numbers};
	if (!row->name)
		return -ENOMEM;
	return t->options->show_missing ? analysis_missing_text(a, &row->missing) : 0;
}

static int add_file(struct table *t, const struct analysis *a)
{
	numbers_add(&t->total, &a->numbers);
	if (t->options->skip_covered && !a->numbers.n_missing && !a->numbers.n_partial_branches)
		t->n_skipped++;
	else if (t->options->skip_empty && !a->numbers.n_statements)
		t->n_empty++;
	else
		return add_row(t, a);
	return 0;
}

/* Sorting. */

static const struct sort_row {
	const char *name;
	enum column column;
} sort_rows[] = {
	{"name", COLUMN_NAME},	   {"stmts", COLUMN_STMTS},   {"miss", COLUMN_MISS},
	{"branch", COLUMN_BRANCH}, {"brpart", COLUMN_BRPART}, {"cover", COLUMN_COVER},
};

struct order {
	enum column column;
	bool reverse;
};

static double sort_value(const struct row *row, enum column column)
{
	switch (column) {
	case COLUMN_STMTS:
		return (double)row->numbers.n_statements;
	case COLUMN_MISS:
		return (double)row->numbers.n_missing;
	case COLUMN_BRANCH:
		return (double)row->numbers.n_branches;
	case COLUMN_BRPART:
		return (double)row->numbers.n_partial_branches;
	case COLUMN_COVER:
		return numbers_covered(&row->numbers);
	default:
		return 0;
	}
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct order *order = arg;
	const struct row *x = a, *y = b;
	double left = sort_value(x, order->column), right = sort_value(y, order->column);
	int r = left < right ? -1 : left > right;

	if (r == 0)
		r = order->column == COLUMN_NAME ? name_compare(x->name, y->name) : strcmp(x->name, y->name);
	return order->reverse ? -r : r;
}

static int sort_table(struct table *t, char why[REPORT_WHY_MAX])
{
	const char *sort = t->options->sort && *t->options->sort ? t->options->sort : "name";
	struct order order = {.reverse = *sort == '-'};
	const char *name = sort + (*sort == '-' || *sort == '+');

	for (size_t i = 0; i < ARRAY_SIZE(sort_rows); i++) {
		if (strcasecmp(name, sort_rows[i].name) ||
		    (!t->branches && (sort_rows[i].column == COLUMN_BRANCH || sort_rows[i].column == COLUMN_BRPART)))
			continue;
		order.column = sort_rows[i].column;
		qsort_r(t->rows, t->n, sizeof(*t->rows), compare_rows, &order);
		return 0;
	}
	snprintf(why, REPORT_WHY_MAX, "Invalid sorting option: '%s'", sort);
	return -EINVAL;
}

/* Cells. */

static bool has_column(const struct table *t, enum column column)
{
	if (column == COLUMN_BRANCH || column == COLUMN_BRPART)
		return t->branches;
	return column != COLUMN_MISSING || t->options->show_missing;
}

/* The text of a cell; @buf has room for a number. */
static const char *cell(const struct table *t, const struct row *row, enum column column, char buf[PERCENT_TEXT_MAX])
{
	const struct numbers *n = &row->numbers;
	const uint64_t values[] = {0, n->n_statements, n->n_missing, n->n_branches, n->n_partial_branches};

	if (column == COLUMN_NAME)
		return row->name;
	if (column == COLUMN_MISSING)
		return row->missing ? row->missing : "";
	if (column == COLUMN_COVER)
		percent_format(numbers_covered(n), t->options->precision, buf);
	else
		snprintf(buf, PERCENT_TEXT_MAX, "%llu", (unsigned long long)values[column]);
	return buf;
}

static void pad(FILE *out, size_t n, char c)
{
	while (n-- > 0)
		putc(c, out);
}

static void put_left(FILE *out, const char *text, size_t width)
{
	size_t n = name_width(text);

	fputs(text, out);
	pad(out, width > n ? width - n : 0, ' ');
}

static void put_right(FILE *out, const char *text, size_t width)
{
	size_t n = name_width(text);

	pad(out, width > n ? width - n : 0, ' ');
	fputs(text, out);
}

/* A line is built in memory: spaces at its end are not written. */
static FILE *line_begin(struct table *t)
{
	free(t->line);
	t->line = NULL;
	return open_memstream(&t->line, &t->length);
}

static int line_end(struct table *t, FILE *line)
{
	if (fclose(line) != 0)
		return -ENOMEM;
	while (t->length && t->line[t->length - 1] == ' ')
		t->length--;
	fprintf(t->out, "%.*s\n", (int)(t->length > INT_MAX ? INT_MAX : t->length), t->line);
	return 0;
}

static size_t max(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t cover_length(const struct table *t, const struct numbers *n)
{
	char buf[PERCENT_TEXT_MAX];

	percent_format(numbers_covered(n), t->options->precision, buf);
	return strlen(buf);
}

/* Plain text. */

static const char *colour_of(const struct table *t, const struct numbers *n)
{
	double covered = numbers_covered(n);

	if (!t->colour)
		return "";
	return covered >= 90 ? "\033[32m" : covered >= 70 ? "\033[33m" : "\033[31m";
}

static int put_text_row(struct table *t, const struct row *row)
{
	FILE *line = line_begin(t);
	char buf[PERCENT_TEXT_MAX];

	if (!line)
		return -ENOMEM;
	for (enum column c = 0; c < N_COLUMNS; c++) {
		const char *text;

		if (!has_column(t, c))
			continue;
		text = cell(t, row, c, buf);
		if (c == COLUMN_NAME) {
			put_left(line, text, t->name_width);
		} else if (c == COLUMN_MISSING) {
			fputs("   ", line);
			put_left(line, text, 9);
		} else if (c == COLUMN_COVER) {
			pad(line, t->cover_width - 1 - strlen(text), ' ');
			fprintf(line, "%s%s%%%s", colour_of(t, &row->numbers), text, t->colour ? "\033[0m" : "");
		} else {
			put_right(line, text, 7);
		}
	}
	return line_end(t, line);
}

static size_t put_text_header(struct table *t)
{
	size_t width = 0;

	for (enum column c = 0; c < N_COLUMNS; c++) {
		size_t n = c == COLUMN_NAME	 ? t->name_width
			   : c == COLUMN_COVER	 ? t->cover_width
			   : c == COLUMN_MISSING ? 10
						 : 7;

		if (!has_column(t, c))
			continue;
		width += n;
		if (c == COLUMN_NAME)
			put_left(t->out, titles[c], n);
		else
			put_right(t->out, titles[c], n);
	}
	putc('\n', t->out);
	return width;
}

static void put_rule(struct table *t, size_t width)
{
	pad(t->out, width, '-');
	putc('\n', t->out);
}

static int put_text(struct table *t)
{
	struct row total = {.name = (char *)"TOTAL", .numbers = t->total};
	size_t width;
	int r = 0;

	t->name_width = 6;
	t->cover_width = max(cover_length(t, &t->total) + 2, 6) + 1;
	for (size_t i = 0; i < t->n; i++) {
		t->name_width = max(t->name_width, name_width(t->rows[i].name) + 1);
		t->cover_width = max(t->cover_width, cover_length(t, &t->rows[i].numbers) + 2);
	}
	width = put_text_header(t);
	put_rule(t, width);
	for (size_t i = 0; i < t->n && r == 0; i++)
		r = put_text_row(t, &t->rows[i]);
	if (t->n)
		put_rule(t, width);
	return r < 0 ? r : put_text_row(t, &total);
}

/* Markdown. */

/* "|" and the like are escaped; the caller frees it. */
static char *escape(const char *text)
{
	char *copy = malloc(2 * strlen(text) + 1), *to = copy;

	for (; copy && *text; text++) {
		if (strchr("!\"#$%&'()*+:;<=>?@[\\]^_`{|}~", *text))
			*to++ = '\\';
		*to++ = *text;
	}
	if (copy)
		*to = 0;
	return copy;
}

static int put_markdown_row(struct table *t, const struct row *row)
{
	FILE *line = line_begin(t);
	char buf[PERCENT_TEXT_MAX];
	int r = 0;

	if (!line)
		return -ENOMEM;
	for (enum column c = 0; c < N_COLUMNS; c++) {
		_cleanup_free_ char *text = has_column(t, c) ? escape(cell(t, row, c, buf)) : NULL;

		if (!has_column(t, c))
			continue;
		if (!text) {
			r = -ENOMEM;
			break;
		}
		if (c == COLUMN_NAME) {
			fputs("| ", line);
			put_left(line, text, t->name_width);
			putc('|', line);
		} else {
			put_right(line, text, c == COLUMN_COVER ? t->cover_width - 1 : c == COLUMN_MISSING ? 10 : 9);
			fputs(c == COLUMN_COVER ? "% |" : " |", line);
		}
	}
	if (line_end(t, line) < 0)
		r = -ENOMEM;
	return r;
}

static int put_markdown_total(struct table *t)
{
	struct row total = {.name = (char *)"TOTAL", .numbers = t->total};
	FILE *line = line_begin(t);
	char buf[PERCENT_TEXT_MAX], text[PERCENT_TEXT_MAX + 8];

	if (!line)
		return -ENOMEM;
	for (enum column c = 0; c < N_COLUMNS; c++) {
		if (!has_column(t, c))
			continue;
		snprintf(text, sizeof(text), c == COLUMN_COVER ? " **%s%%**" : " **%s**", cell(t, &total, c, buf));
		if (c == COLUMN_NAME) {
			putc('|', line);
			put_left(line, text, t->name_width);
		} else {
			put_right(line, c == COLUMN_MISSING ? "" : text,
				  c == COLUMN_COVER	? t->cover_width
				  : c == COLUMN_MISSING ? 10
							: 9);
		}
		fputs(" |", line);
	}
	return line_end(t, line);
}

static void put_markdown_header(struct table *t)
{
	for (enum column c = 0; c < N_COLUMNS; c++) {
		if (!has_column(t, c))
			continue;
		if (c == COLUMN_NAME) {
			fputs("| ", t->out);
			put_left(t->out, titles[c], t->name_width);
			putc('|', t->out);
		} else {
			put_right(t->out, titles[c], c == COLUMN_COVER ? t->cover_width : c == COLUMN_MISSING ? 10 : 9);
			fputs(" |", t->out);
		}
	}
	fputs("\n|", t->out);
	for (enum column c = 0; c < N_COLUMNS; c++) {
		if (!has_column(t, c))
			continue;
		if (c == COLUMN_NAME) {
			pad(t->out, t->name_width + 2 - 3, '-');
			fputs("- |", t->out);
		} else {
			size_t n = (c == COLUMN_COVER ? t->cover_width : c == COLUMN_MISSING ? 10 : 9) + 1;

			putc(' ', t->out);
			pad(t->out, n - 4, '-');
			fputs("-: |", t->out);
		}
	}
	putc('\n', t->out);
}

static int put_markdown(struct table *t)
{
	int r = 0;

	t->name_width = strlen("**TOTAL**");
	for (size_t i = 0; i < t->n; i++) {
		_cleanup_free_ char *text = escape(t->rows[i].name);

		if (!text)
			return -ENOMEM;
		t->name_width = max(t->name_width, name_width(text));
	}
	t->name_width++;
	t->cover_width = max(cover_length(t, &t->total) + 6, strlen(" Cover "));
	put_markdown_header(t);
	for (size_t i = 0; i < t->n && r == 0; i++)
		r = put_markdown_row(t, &t->rows[i]);
	return r < 0 ? r : put_markdown_total(t);
}

static void put_end(const struct table *t)
{
	if (t->options->skip_covered && t->n_skipped)
		fprintf(t->out, "\n%llu file%s skipped due to complete coverage.\n", (unsigned long long)t->n_skipped,
			t->n_skipped == 1 ? "" : "s");
	if (t->options->skip_empty && t->n_empty)
		fprintf(t->out, "\n%llu empty file%s skipped.\n", (unsigned long long)t->n_empty,
			t->n_empty == 1 ? "" : "s");
}

static int put_table(struct table *t, char why[REPORT_WHY_MAX])
{
	const char *format = t->options->format ? t->options->format : "text";
	char buf[PERCENT_TEXT_MAX];
	int r;

	if (!strcmp(format, "total")) {
		percent_format(numbers_covered(&t->total), t->options->precision, buf);
		fprintf(t->out, "%s\n", buf);
		return 0;
	}
	r = sort_table(t, why);
	if (r == 0)
		r = !strcmp(format, "markdown") ? put_markdown(t) : put_text(t);
	if (r == 0)
		put_end(t);
	return r;
}

static int check_format(const struct report_options *options, char why[REPORT_WHY_MAX])
{
	const char *format = options->format ? options->format : "text";

	if (!strcmp(format, "text") || !strcmp(format, "markdown") || !strcmp(format, "total"))
		return 0;
	snprintf(why, REPORT_WHY_MAX, "Unknown report format choice: '%s'", format);
	return -EINVAL;
}

int report_text(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX])
{
	const char *no_colour = getenv("NO_COLOR");
	_cleanup_(table_deinit) struct table t = {
		.options = options,
		.out = out,
		.branches = report_has_branches(report),
		.colour = isatty(fileno(out)) && !(no_colour && *no_colour),
	};
	struct analysis a;
	int r = check_format(options, why);

	while (r == 0 && (r = report_next(report, &a, why)) > 0) {
		r = add_file(&t, &a);
		analysis_deinit(&a);
		if (r < 0)
			snprintf(why, REPORT_WHY_MAX, "out of memory");
	}
	if (r == 0 && !t.total.n_files && !t.n_skipped) {
		snprintf(why, REPORT_WHY_MAX, "No data to report.");
		r = -ENODATA;
	}
	if (r == 0)
		r = put_table(&t, why);
	*total = numbers_covered(&t.total);
	return r;
}
