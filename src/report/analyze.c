/*
 * The order of the steps is coverage.py's (parser.py, PythonParser): lines that match an expression
 * are excluded; a suite whose introduction is excluded is so as a whole; then functions and classes
 * by their decorators and signatures, and the `case` of an excluded suite that matches always. What
 * is left of the lines with code, each taken for the first line of its statement, is counted.
 */
#include "report/analyze.h"

#include "report/guess.h"

#include <stdio.h>
#include <string.h>

#define LINES_MAX (UINT32_C(1) << 24) /* of a file without its source, whose numbers may be made up */

/* lines_from(), for the lines that an expression matches */
struct marker {
	struct analysis *a;
	uint8_t flag;
};

static void mark_first(void *arg, uint32_t line)
{
	struct marker *m = arg;

	line = analysis_first_line(m->a, line);
	if (line <= m->a->n_lines + 1)
		m->a->lines[line] |= m->flag;
}

static void mark_range(struct analysis *a, uint32_t from, uint32_t to, uint8_t flag)
{
	for (uint32_t line = from; line <= to && line <= a->n_lines; line++)
		a->lines[line] |= flag;
}

static bool any_excluded(const struct analysis *a, uint32_t from, uint32_t to)
{
	for (uint32_t line = from; line <= to && line <= a->n_lines; line++)
		if (a->lines[line] & LINE_EXCLUDED)
			return true;
	return false;
}

/* A line with a colon, once excluded, takes with it what is indented further. */
static void exclude_suites(struct analysis *a)
{
	bool excluding = false;
	uint16_t indent = 0;

	for (uint32_t i = 0; i < a->syntax.n_logical; i++) {
		const struct logical_line *l = &a->syntax.logical[i];

		if (excluding && l->indent <= indent)
			excluding = false;
		if (excluding)
			a->lines[l->first] |= LINE_EXCLUDED;
		if (!excluding && l->has_colon && a->lines[l->first] & LINE_EXCLUDED) {
			excluding = true;
			indent = l->indent;
		}
	}
}

static void exclude_definition(struct analysis *a, const struct statement *s)
{
	uint32_t first = s->line;

	for (uint32_t i = 0; i < s->n_decorators; i++)
		if (a->syntax.decorators[s->decorators + i] < first)
			first = a->syntax.decorators[s->decorators + i];
	if (any_excluded(a, first, s->line))
		mark_range(a, first, s->end_line, LINE_EXCLUDED);
}

static void exclude_case(struct analysis *a, const struct statement *s)
{
	bool any = false;

	for (uint32_t line = s->body ? a->syntax.statements[s->body].line : UINT32_MAX; line <= s->end_line; line++) {
		if (!(a->lines[line] & LINE_RAW))
			continue;
		if (!(a->lines[line] & LINE_EXCLUDED))
			return;
		any = true;
	}
	if (any)
		mark_range(a, s->line, s->pattern_end, LINE_EXCLUDED);
}

static void mark_docstring(struct analysis *a, const struct statement *s)
{
	const struct statement *first = &a->syntax.statements[s->body];

	if (s->body && first->kind == STATEMENT_STRING)
		mark_range(a, first->line, first->end_line, LINE_DOCSTRING);
}

static void visit_statements(struct analysis *a)
{
	for (uint32_t i = 0; i < a->syntax.n_statements; i++) {
		const struct statement *s = &a->syntax.statements[i];

		if (s->kind == STATEMENT_MODULE || s->kind == STATEMENT_FUNCTION || s->kind == STATEMENT_CLASS)
			mark_docstring(a, s);
		if (s->kind == STATEMENT_FUNCTION || s->kind == STATEMENT_CLASS)
			exclude_definition(a, s);
		else if (s->kind == STATEMENT_CASE && s->irrefutable)
			exclude_case(a, s);
	}
}

static void choose_statements(struct analysis *a)
{
	const uint8_t ignored = LINE_EXCLUDED | LINE_DOCSTRING;

	for (uint32_t line = 1; line <= a->n_lines; line++) {
		uint32_t first = analysis_first_line(a, line);

		if ((a->lines[line] & (LINE_RAW | ignored)) == LINE_RAW && !(a->lines[first] & ignored))
			a->lines[first] |= LINE_STATEMENT;
	}
}

static void mark_executed(struct analysis *a, const struct lineset *lines)
{
	uint32_t line = 0;

	while ((line = lineset_next(lines, line)) && line <= a->n_lines) {
		uint32_t first = analysis_first_line(a, line);

		if (a->lines[first] & LINE_STATEMENT)
			a->lines[first] |= LINE_EXECUTED;
	}
}

static void mark_raw(struct analysis *a, const struct lineset *executable)
{
	uint32_t line = 0;

	/* the code of an empty file has a line, too */
	if (a->source.text && !a->syntax.n_logical)
		return;
	while ((line = lineset_next(executable, line)) && line <= a->n_lines)
		a->lines[line] |= LINE_RAW;
}

static void count(struct analysis *a)
{
	a->numbers.n_files = 1;
	for (uint32_t line = 1; line <= a->n_lines + 1; line++) {
		a->numbers.n_statements += !!(a->lines[line] & LINE_STATEMENT);
		a->numbers.n_missing += analysis_is_missing(a, line);
		a->numbers.n_excluded += !!(a->lines[line] & LINE_EXCLUDED);
	}
	for (size_t i = 0; i < a->n_branches; i++) {
		const struct branch *b = &a->branches[i];

		if (b->excluded)
			continue;
		a->numbers.n_branches++;
		a->numbers.n_missing_branches += b->missing;
		a->numbers.n_partial_branches += b->missing && !analysis_is_missing(a, b->from);
	}
}

static int explain(int r, const char *path, char why[ANALYZE_WHY_MAX])
{
	snprintf(why, ANALYZE_WHY_MAX, "%s: '%s'",
		 r == -ENOTSUP	? "not a regular file"
		 : r == -EILSEQ ? "unknown encoding"
				: strerror(-r),
		 path);
	return r == -EILSEQ ? -EBADMSG : r;
}

/* Without its source a file has the lines that were recorded, if any were. */
static int read_source(struct analysis *a, const char *path, char why[ANALYZE_WHY_MAX])
{
	int r = source_read(path, &a->source);

	if (r != -ENOENT && r != -ENOTDIR)
		return r < 0 ? explain(r, path, why) : 0;
	snprintf(why, ANALYZE_WHY_MAX, "No source for code: '%s'.", path);
	if (!a->file->executable.count)
		return -ENOENT;
	a->n_lines = a->file->executable.max;
	if (a->n_lines <= LINES_MAX)
		return 0;
	snprintf(why, ANALYZE_WHY_MAX, "no source, and lines up to %u: '%s'", a->n_lines, path);
	return -EFBIG;
}

static int parse_source(struct analysis *a, const char *path, char why[ANALYZE_WHY_MAX])
{
	int r;

	if (!a->source.text)
		return 0;
	a->n_lines = a->source.n_lines;
	r = syntax_parse(&a->source, &a->syntax);
	if (r == -EBADMSG)
		snprintf(why, ANALYZE_WHY_MAX, "Couldn't parse '%s' as Python source: '%s' at line %u", path,
			 a->syntax.error, a->syntax.error_line);
	return r;
}

static int match_lines(struct analysis *a, const struct line_regex *regex, uint8_t flag, char why[ANALYZE_WHY_MAX])
{
	struct marker marker = {a, flag};
	int r = regex && a->source.text ? line_regex_each(regex, &a->source, mark_first, &marker) : 0;

	if (r == -E2BIG)
		snprintf(why, ANALYZE_WHY_MAX, "a regular expression takes too long on '%s'", a->file->path);
	return r;
}

/* The lines with code of a file of which none are recorded: it never ran with us. */
static int find_executable(const struct analyzer *with, struct analysis *a, struct lineset *lines,
			   char why[ANALYZE_WHY_MAX])
{
	int r;

	if (!a->source.text || !a->syntax.n_logical)
		return 0;
	r = with->compiler ? compiler_lines(with->compiler, &a->source, lines) : -ENOENT;
	if (r == -EBADMSG)
		snprintf(why, ANALYZE_WHY_MAX, "Couldn't parse '%s' as Python source", a->file->path);
	if (r != -ENOENT && r != -EIO)
		return r;
	a->is_guessed = true;
	return guess_lines(&a->syntax, lines);
}

static int mark_code(const struct analyzer *with, struct analysis *a, char why[ANALYZE_WHY_MAX])
{
	_cleanup_(lineset_deinit) struct lineset found = {0};
	int r = 0;

	if (a->file->executable.count) {
		mark_raw(a, &a->file->executable);
		return 0;
	}
	r = find_executable(with, a, &found, why);
	mark_raw(a, &found);
	return r;
}

static int analyze_lines(const struct analyzer *with, struct analysis *a, char why[ANALYZE_WHY_MAX])
{
	int r;

	a->lines = calloc((size_t)a->n_lines + 2, 1);
	if (!a->lines)
		return -ENOMEM;
	r = mark_code(with, a, why);
	if (r < 0)
		return r;
	r = match_lines(a, with->exclude, LINE_EXCLUDED, why);
	if (r < 0)
		return r;
	if (with->has_arcs)
		r = match_lines(a, with->partial, LINE_NO_BRANCH, why);
	if (r < 0)
		return r;
	exclude_suites(a);
	visit_statements(a);
	choose_statements(a);
	for (size_t i = 0; i < a->file->n_lines; i++)
		if (!with->contexts || line_regex_search(with->contexts, a->file->lines[i].context->name))
			mark_executed(a, &a->file->lines[i].lines);
	return 0;
}

/* All that follows from the source, which @a has; take it over into @ret. */
static int finish(const struct analyzer *with, struct analysis *a, int r, char why[ANALYZE_WHY_MAX],
		  struct analysis *ret)
{
	if (r == 0)
		r = parse_source(a, a->file->path, why);
	if (r == 0)
		r = analyze_lines(with, a, why);
	if (r == 0 && with->has_arcs)
		r = branches_find(with, a);
	if (r == -ENOMEM)
		snprintf(why, ANALYZE_WHY_MAX, "out of memory");
	if (r < 0) {
		analysis_deinit(a);
		return r;
	}
	count(a);
	*ret = *a;
	return 0;
}

int analyze(const struct analyzer *with, const struct record_file *file, const char *name, char why[ANALYZE_WHY_MAX],
	    struct analysis *ret)
{
	struct analysis a = {.file = file, .name = strdup(name), .has_branches = with->has_arcs};

	return finish(with, &a, a.name ? read_source(&a, file->path, why) : -ENOMEM, why, ret);
}

int analyze_bytes(const struct analyzer *with, const struct record_file *file, const char *name, const void *bytes,
		  size_t n, char why[ANALYZE_WHY_MAX], struct analysis *ret)
{
	struct analysis a = {.file = file, .name = strdup(name), .has_branches = with->has_arcs};
	int r = a.name ? source_decode(bytes, n, &a.source) : -ENOMEM;

	return finish(with, &a, r < 0 && r != -ENOMEM ? explain(r, file->path, why) : r, why, ret);
}
