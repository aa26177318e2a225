#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/html/html_pages.h"

/* More are in a part of the table that script.js fills the first from: browsers take long to lay out long tables. */
#define ROWS_AT_ONCE 1000

static bool is_skipped(struct html_index *index, const struct html_options *o, const struct numbers *n)
{
	numbers_add(&index->total, n);
	if (o->skip_covered && !n->n_missing && !n->n_partial_branches) {
		index->n_skipped_covered++;
		return true;
	}
	if (o->skip_empty && !n->n_statements) {
		index->n_skipped_empty++;
		return true;
	}
	return false;
}

static void put_numbers(struct page *page, const struct html_common *common, const struct numbers *n)
{
	page_printf(page, "<td class=\"wide\">%lu<td>%lu<td class=\"wide\">%lu", n->n_statements, n->n_missing,
		    n->n_excluded);
	if (common->has_branches)
		page_printf(page, "<td class=\"wide\">%lu<td class=\"wide\">%lu", n->n_branches, n->n_partial_branches);
	page_put(page, "<td class=\"");
	html_bar(page, numbers_n_covered(n), numbers_n_of(n));
	page_printf(page, "\" data-of=\"%lu %lu\">", numbers_n_covered(n), numbers_n_of(n));
	html_percent(page, common, n);
	page_put(page, "\n");
}

static void put_link(struct page *page, const char *page_name, uint32_t line, const char *text)
{
	page_printf(page, "<td class=\"name\"><a href=\"%s", page_name);
	if (line)
		page_printf(page, "#t%u", line);
	page_put(page, "\">");
	for (const char *slash; (slash = strchr(text, '/')) && slash[1];
	     text = slash + 1) { /* where it may be broken */
		_cleanup_free_ char *part = strndup(text, (size_t)(slash + 1 - text));

		page->failed |= !part;
		page_text(page, part ? part : "");
		page_put(page, "<wbr>");
	}
	page_text(page, text);
	page_put(page, "</a>");
}

/* What is in no function stands for itself: a region without a name. */
static void put_region(struct page *page, const struct html_index *index, const char *page_name,
		       const struct region *region)
{
	if (region->name)
		put_link(page, page_name, region->start, region->name);
	else
		page_printf(page, "<td class=\"name\"><i>(no %s)</i>", index->noun);
}

bool html_index_add(struct html_index *index, const struct html_common *common, const char *page_name, const char *file,
		    const struct region *region, const struct numbers *n)
{
	if (is_skipped(index, common->options, n))
		return false;
	if (index->n_rows++ == ROWS_AT_ONCE)
		page_put(&index->rows, "</tbody>\n<tbody class=\"rest\">\n");
	page_put(&index->rows, "<tr>");
	put_link(&index->rows, page_name, 0, file);
	if (region)
		put_region(&index->rows, index, page_name, region);
	put_numbers(&index->rows, common, n);
	return true;
}

/* ------------------------------------------------------------------------------------------------------- regions */

/* The numbers of all regions of a kind at once; those of the lines in none are the first. */
static void count_regions(const struct analysis *a, const uint32_t *owner, struct numbers *n)
{
	for (uint32_t line = 1; line <= a->n_lines; line++) {
		struct numbers *of = &n[owner[line]];

		of->n_statements += !!(a->lines[line] & LINE_STATEMENT);
		of->n_missing += analysis_is_missing(a, line);
		of->n_excluded += !!(a->lines[line] & LINE_EXCLUDED);
	}
	for (size_t i = 0; i < a->n_branches; i++) {
		const struct branch *b = &a->branches[i];
		struct numbers *of = &n[owner[b->from]];

		of->n_branches++;
		of->n_missing_branches += b->missing;
		of->n_partial_branches += b->missing && !analysis_is_missing(a, b->from);
	}
}

static int add_kind(struct html_index *index, enum region_kind kind, const struct html_common *common,
		    const struct analysis *a, const struct analysis_regions *regions, const char *page_name)
{
	const uint32_t *owner = kind == REGION_FUNCTION ? regions->function_of : regions->class_of;
	_cleanup_free_ struct numbers *n = calloc(regions->n + 1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	count_regions(a, owner, n);
	for (size_t i = 0; i < regions->n; i++)
		if (regions->regions[i].kind == kind)
			html_index_add(index, common, page_name, a->name, &regions->regions[i], &n[i + 1]);
	html_index_add(index, common, page_name, a->name, &(struct region){.kind = kind}, &n[0]);
	return 0;
}

int html_index_add_regions(struct html_index *functions, struct html_index *classes, const struct html_common *common,
			   const struct analysis *a, const char *page_name)
{
	_cleanup_analysis_regions_ struct analysis_regions regions = {0};
	int r = analysis_regions(a, &regions);

	if (r == 0)
		r = add_kind(functions, REGION_FUNCTION, common, a, &regions, page_name);
	if (r == 0)
		r = add_kind(classes, REGION_CLASS, common, a, &regions, page_name);
	return r;
}

/* ---------------------------------------------------------------------------------------------------------- a page */

static void put_tabs(struct page *page, const struct html_index *index)
{
	static const char *const tabs[][2] = {
		{"index.html", "Files"}, {"function_index.html", "Functions"}, {"class_index.html", "Classes"}};

	page_put(page, "<nav>");
	for (size_t i = 0; i < ARRAY_SIZE(tabs); i++) {
		if (!strcmp(tabs[i][0], index->name))
			page_printf(page, "<b>%s</b>", tabs[i][1]);
		else
			page_printf(page, "<a href=\"%s\">%s</a>", tabs[i][0], tabs[i][1]);
	}
	page_put(page, "</nav>\n");
}

static void put_header(struct page *page, const struct html_index *index, const struct html_common *common)
{
	page_put(page, "<header>\n<h1>");
	page_text(page, common->options->title);
	page_put(page, " <span class=\"total\">");
	html_percent(page, common, &index->total);
	page_put(page, "</span></h1>\n");
	put_tabs(page, index);
	page_printf(page,
		    "<div class=\"tools\" id=\"tools\" hidden>\n"
		    "<input type=\"search\" id=\"filter\" placeholder=\"filter %s\" aria-label=\"filter %s\" "
		    "autocomplete=\"off\" spellcheck=\"false\">\n"
		    "<label><input type=\"checkbox\" id=\"hide-covered\"> hide covered</label>\n"
		    "<span id=\"shown\"></span>\n"
		    "<button type=\"button\" id=\"help-button\" title=\"keys\">?</button>\n</div>\n</header>\n",
		    index->nouns, index->nouns);
}

static void put_head_cell(struct page *page, const char *id, const char *key, const char *class, const char *text)
{
	page_printf(
		page,
		"<th id=\"%s\" data-key=\"%s\" class=\"%s\" aria-sort=\"none\"><button type=\"button\">%s</button>\n",
		id, key, class, text);
}

static void put_table_head(struct page *page, const struct html_index *index, const struct html_common *common)
{
	page_printf(page, "<table class=\"index\" data-precision=\"%d\">\n<thead>\n<tr>\n", common->options->precision);
	put_head_cell(page, "file", "f", "name", "File");
	if (index->has_regions)
		put_head_cell(page, "region", "n", "name", !strcmp(index->noun, "class") ? "Class" : "Function");
	put_head_cell(page, "statements", "s", "wide", "Statements");
	put_head_cell(page, "missing", "m", "", "Missing");
	put_head_cell(page, "excluded", "x", "wide", "Excluded");
	if (common->has_branches) {
		put_head_cell(page, "branches", "b", "wide", "Branches");
		put_head_cell(page, "partial", "p", "wide", "Partial");
	}
	put_head_cell(page, "coverage", "c", "", "Coverage");
	page_put(page, "</thead>\n<tbody>\n");
}

static void put_table_foot(struct page *page, const struct html_index *index, const struct html_common *common)
{
	page_put(page, "</tbody>\n<tfoot>\n<tr><td class=\"name\">Total");
	if (index->has_regions)
		page_put(page, "<td class=\"name\">");
	put_numbers(page, common, &index->total);
	page_put(page, "</tfoot>\n</table>\n<div id=\"table-end\"></div>\n");
}

static void put_skipped(struct page *page, const struct html_index *index)
{
	if (index->n_skipped_covered)
		page_printf(page, "<p class=\"note\">%lu %s skipped due to complete coverage.</p>\n",
			    index->n_skipped_covered, index->n_skipped_covered == 1 ? index->noun : index->nouns);
	if (index->n_skipped_empty)
		page_printf(page, "<p class=\"note\">%lu empty %s skipped.</p>\n", index->n_skipped_empty,
			    index->n_skipped_empty == 1 ? index->noun : index->nouns);
}

static void put_help(struct page *page, const struct html_index *index, const struct html_common *common)
{
	page_printf(page,
		    "<aside id=\"help\" hidden>\n<dl>\n"
		    "<dt><kbd>f</kbd> %s<kbd>s</kbd> <kbd>m</kbd> <kbd>x</kbd> %s<kbd>c</kbd><dd>sort by that column\n"
		    "<dt><kbd>/</kbd><dd>filter\n"
		    "<dt><kbd>[</kbd> <kbd>]</kbd><dd>last, first file\n"
		    "<dt><kbd>?</kbd><dd>this help\n</dl>\n</aside>\n",
		    index->has_regions ? "<kbd>n</kbd> " : "",
		    common->has_branches ? "<kbd>b</kbd> <kbd>p</kbd> " : "");
}

void html_index_page(struct page *page, const struct html_index *index, const struct html_common *common,
		     const char *first, const char *last)
{
	html_head(page, common, "index", common->options->title);
	put_header(page, index, common);
	page_put(page, "<main>\n");
	put_table_head(page, index, common);
	page_put_n(page, index->rows.text ? index->rows.text : "", index->rows.n);
	page->failed |= index->rows.failed;
	put_table_foot(page, index, common);
	put_skipped(page, index);
	page_printf(page, "</main>\n<footer>%s</footer>\n", common->created);
	if (first)
		page_printf(page, "<a id=\"first\" href=\"%s\" hidden></a>\n<a id=\"last\" href=\"%s\" hidden></a>\n",
			    first, last);
	put_help(page, index, common);
	page_put(page, "</body>\n</html>\n");
}
