#include "report/analysis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bisect.h"

void analysis_deinit(struct analysis *a)
{
	source_deinit(&a->source);
	syntax_deinit(&a->syntax);
	free(a->name);
	free(a->lines);
	free(a->branches);
	*a = (struct analysis){0};
}

void numbers_add(struct numbers *total, const struct numbers *n)
{
	total->n_files += n->n_files;
	total->n_statements += n->n_statements;
	total->n_missing += n->n_missing;
	total->n_excluded += n->n_excluded;
	total->n_branches += n->n_branches;
	total->n_partial_branches += n->n_partial_branches;
	total->n_missing_branches += n->n_missing_branches;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

double numbers_covered(const struct numbers *n)
{
	return percent(n->n_statements - n->n_missing + n->n_branches - n->n_missing_branches,
		       n->n_statements + n->n_branches);
}

double numbers_statements_covered(const struct numbers *n)
{
	return percent(n->n_statements - n->n_missing, n->n_statements);
}

double numbers_branches_covered(const struct numbers *n)
{
	return percent(n->n_branches - n->n_missing_branches, n->n_branches);
}

void percent_format(double value, int precision, char text[PERCENT_TEXT_MAX])
{
	double least = 1.0 / pow(10, precision);

	if (value > 0 && value < least)
		value = least;
	else if (value > 100 - least && value < 100)
		value = 100 - least;
	snprintf(text, PERCENT_TEXT_MAX, "%.*f", precision, value);
}

/* Functions and classes. */

struct scope {
	uint32_t statement, region;
};

struct region_finder {
	const struct analysis *a;
	struct analysis_regions *found;
	size_t room;
	uint32_t *region_of; /* by statement: that of the function or class it is in or is, plus 1 */
};

void analysis_regions_deinit(struct analysis_regions *regions)
{
	for (size_t i = 0; i < regions->n; i++)
		free(regions->regions[i].name);
	free(regions->regions);
	free(regions->function_of);
	free(regions->class_of);
	*regions = (struct analysis_regions){0};
}

/* The name with those of the regions around it. They may be many and long, so there is an end. */
#define QUALIFIED_MAX 100000

static char *qualify(const struct region_finder *f, const struct statement *s, uint32_t outer)
{
	const char *prefix = outer ? f->found->regions[outer - 1].name : "";
	char *name;

	if (strlen(prefix) > QUALIFIED_MAX)
		prefix = "...";
	if (asprintf(&name, "%s%s%.*s", prefix, outer ? "." : "", (int)s->name_length, f->a->source.text + s->name) < 0)
		return NULL;
	return name;
}

static int add_region(struct region_finder *f, const struct statement *s, uint32_t outer)
{
	struct analysis_regions *found = f->found;
	char *name = qualify(f, s, outer);

	if (!name)
		return -ENOMEM;
	if (found->n == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct region *regions = reallocarray(found->regions, room, sizeof(*regions));

		if (!regions) {
			free(name);
			return -ENOMEM;
		}
		found->regions = regions;
		f->room = room;
	}
	found->regions[found->n++] = (struct region){
		.kind = s->kind == STATEMENT_CLASS ? REGION_CLASS : REGION_FUNCTION, .name = name, .start = s->line};
	return 0;
}

/* The lines of a body belong to its function, and to the class that the function is in directly. */
static void own_lines(struct region_finder *f, const struct statement *s, uint32_t outer)
{
	struct analysis_regions *found = f->found;
	uint32_t from = s->body ? f->a->syntax.statements[s->body].line : 0;

	if (!from)
		return;
	for (uint32_t line = from; line <= s->end_line && line <= f->a->n_lines; line++) {
		found->function_of[line] = (uint32_t)found->n;
		if (outer && found->regions[outer - 1].kind == REGION_CLASS)
			found->class_of[line] = outer;
	}
}

static void set_extent(struct analysis_regions *found, uint32_t owner, uint32_t line)
{
	struct region *region = &found->regions[owner - 1];

	if (!region->first_line)
		region->first_line = line;
	region->last_line = line;
}

static int find_regions(struct region_finder *f)
{
	const struct syntax *syntax = &f->a->syntax;

	for (uint32_t i = 1; i < syntax->n_statements; i++) {
		const struct statement *s = &syntax->statements[i];
		uint32_t outer = f->region_of[s->parent];

		f->region_of[i] = outer;
		if (s->kind == STATEMENT_FUNCTION || s->kind == STATEMENT_CLASS) {
			int r = add_region(f, s, outer);

			if (r < 0)
				return r;
			f->region_of[i] = (uint32_t)f->found->n;
			if (s->kind == STATEMENT_FUNCTION)
				own_lines(f, s, outer);
		}
	}
	for (uint32_t line = 1; line <= f->a->n_lines; line++) {
		if (f->found->function_of[line])
			set_extent(f->found, f->found->function_of[line], line);
		if (f->found->class_of[line])
			set_extent(f->found, f->found->class_of[line], line);
	}
	return 0;
}

int analysis_regions(const struct analysis *a, struct analysis_regions *ret)
{
	struct region_finder f = {.a = a, .found = ret};
	int r = -ENOMEM;

	*ret = (struct analysis_regions){0};
	ret->function_of = calloc((size_t)a->n_lines + 2, sizeof(*ret->function_of));
	ret->class_of = calloc((size_t)a->n_lines + 2, sizeof(*ret->class_of));
	f.region_of = calloc((size_t)a->syntax.n_statements + 1, sizeof(*f.region_of));
	if (ret->function_of && ret->class_of && f.region_of)
		r = find_regions(&f);
	free(f.region_of);
	if (r < 0)
		analysis_regions_deinit(ret);
	return r;
}

static void count_line(const struct analysis *a, uint32_t line, struct numbers *n)
{
	n->n_statements += !!(a->lines[line] & LINE_STATEMENT);
	n->n_missing += analysis_is_missing(a, line);
	n->n_excluded += !!(a->lines[line] & LINE_EXCLUDED);
}

size_t analysis_find_branch(const struct analysis *a, uint32_t from)
{
	return BISECT(i, a->n_branches, a->branches[i].from < from);
}

struct numbers analysis_region_numbers(const struct analysis *a, const struct analysis_regions *regions,
				       enum region_kind kind, size_t region)
{
	const uint32_t *owner = kind == REGION_FUNCTION ? regions->function_of : regions->class_of;
	struct numbers n = {.n_files = 1};
	uint32_t from = 1, to = a->n_lines;

	if (region) {
		from = regions->regions[region - 1].first_line;
		to = regions->regions[region - 1].last_line;
	}
	for (uint32_t line = from; line && line <= to; line++)
		if (owner[line] == region)
			count_line(a, line, &n);
	for (size_t i = analysis_find_branch(a, from); i < a->n_branches && a->branches[i].from <= to; i++) {
		const struct branch *b = &a->branches[i];

		if (owner[b->from] != region || b->excluded)
			continue;
		n.n_branches++;
		n.n_missing_branches += b->missing;
		n.n_partial_branches += b->missing && !analysis_is_missing(a, b->from);
	}
	return n;
}

/* "1-2, 5-11, 13->exit" */

struct missing_text {
	FILE *stream;
	const struct analysis *a;
	size_t branch; /* the next one to write */
	bool any;
};

static void write_range(struct missing_text *t, uint32_t from, uint32_t to)
{
	fprintf(t->stream, t->any ? ", %u" : "%u", from);
	if (to != from)
		fprintf(t->stream, "-%u", to);
	t->any = true;
}

static bool is_worth_writing(const struct analysis *a, const struct branch *b)
{
	return b->missing && !analysis_is_missing(a, b->from) &&
	       (b->to < 0 || (uint32_t)b->to > a->n_lines || !analysis_is_missing(a, (uint32_t)b->to));
}

/* As text: "10" before "9", "exit" last. */
static int compare_targets(const void *a, const void *b)
{
	const struct branch *const *x = a, *const *y = b;
	char left[12], right[12];

	snprintf(left, sizeof(left), "%d", (*x)->to);
	snprintf(right, sizeof(right), "%d", (*y)->to);
	return strcmp((*x)->to < 0 ? "exit" : left, (*y)->to < 0 ? "exit" : right);
}

/* Those of the line that comes next. */
static void write_line_branches(struct missing_text *t)
{
	const struct analysis *a = t->a;
	uint32_t line = a->branches[t->branch].from;
	const struct branch **chosen;
	size_t end = t->branch, n = 0;

	while (end < a->n_branches && a->branches[end].from == line)
		end++;
	chosen = calloc(end - t->branch, sizeof(*chosen));
	for (; t->branch < end; t->branch++)
		if (chosen && is_worth_writing(a, &a->branches[t->branch]))
			chosen[n++] = &a->branches[t->branch];
	if (n)
		qsort(chosen, n, sizeof(*chosen), compare_targets);
	for (size_t i = 0; i < n; i++) {
		fprintf(t->stream, t->any ? ", %u->" : "%u->", line);
		if (chosen[i]->to < 0)
			fputs("exit", t->stream);
		else
			fprintf(t->stream, "%d", chosen[i]->to);
		t->any = true;
	}
	free(chosen);
}

/* Those from lines below @line. */
static void write_branches(struct missing_text *t, uint32_t line)
{
	while (t->branch < t->a->n_branches && t->a->branches[t->branch].from < line)
		write_line_branches(t);
}

static void write_missing(struct missing_text *t)
{
	uint32_t from = 0, to = 0;

	for (uint32_t line = 1; line <= t->a->n_lines; line++) {
		if (!(t->a->lines[line] & LINE_STATEMENT))
			continue;
		if (analysis_is_missing(t->a, line)) {
			from = from ? from : line;
			to = line;
		} else if (from) {
			write_branches(t, from);
			write_range(t, from, to);
			from = 0;
		}
	}
	if (from) {
		write_branches(t, from);
		write_range(t, from, to);
	}
	write_branches(t, UINT32_MAX);
}

int analysis_missing_text(const struct analysis *a, char **ret)
{
	struct missing_text t = {.a = a};
	char *text = NULL;
	size_t size;

	t.stream = open_memstream(&text, &size);
	if (!t.stream)
		return -ENOMEM;
	write_missing(&t);
	if (fclose(t.stream) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}
