#include <errno.h>
#include <math.h>
#include <string.h>

#include "report/html/highlight.h"
#include "report/html/html_pages.h"
#include "report/html/line_contexts.h"

#define BLOCK_LINES 100 /* as in style.css */
#define BRANCHES_SHOWN 8

struct source_page {
	struct page *page;
	const struct html_common *common;
	const struct analysis *a;
	struct highlights highlights;
	struct line_contexts contexts;
	size_t highlight, branch, sample; /* the next of each */
	uint64_t most_samples;		  /* of a line */
	uint32_t block;			  /* lines in the block that is open */
	uint32_t statement;		  /* the first line of the last one, and its kind */
	char statement_kind;
};

static void source_page_deinit(struct source_page *p)
{
	highlights_deinit(&p->highlights);
	line_contexts_deinit(&p->contexts);
}

/* ------------------------------------------------------------------------------------------------------- one line */

/* Branches of executed lines that were never taken, those of @line and behind. */
static const struct branch *next_branch(struct source_page *p, uint32_t line)
{
	const struct analysis *a = p->a;

	for (; p->branch < a->n_branches && a->branches[p->branch].from <= line; p->branch++) {
		const struct branch *b = &a->branches[p->branch];

		if (b->from == line && b->missing)
			return b;
	}
	return NULL;
}

static char first_line_kind(struct source_page *p, uint32_t line)
{
	const struct analysis *a = p->a;

	if (a->lines[line] & LINE_EXCLUDED)
		return 'x';
	if (!(a->lines[line] & LINE_STATEMENT))
		return 0;
	if (!(a->lines[line] & LINE_EXECUTED))
		return 'm';
	return next_branch(p, line) ? 'p' : 'r';
}

static void put_branches(struct source_page *p, uint32_t line)
{
	const struct branch *b;
	unsigned n = 0;

	page_put(p->page, "<span class=\"to\" title=\"never went on there\">");
	for (; (b = next_branch(p, line)); p->branch++) {
		if (n++ == BRANCHES_SHOWN)
			page_put(p->page, " …");
		else if (n < BRANCHES_SHOWN && b->to < 0)
			page_put(p->page, n > 1 ? ", exit" : "→ exit");
		else if (n < BRANCHES_SHOWN)
			page_printf(p->page, "%s%d", n > 1 ? ", " : "→ ", b->to);
	}
	page_put(p->page, "</span>");
}

static void put_contexts(struct source_page *p, uint32_t line)
{
	uint32_t set = p->contexts.set_of ? p->contexts.set_of[line] : 0, n;

	if (!set)
		return;
	n = p->contexts.count[set - 1];
	page_printf(p->page,
		    "<button type=\"button\" class=\"who\" value=\"%u\" aria-expanded=\"false\" "
		    "title=\"contexts that ran it\">%u ctx</button>",
		    set - 1, n);
}

/* How often sampling found the line running, 0 for never; lines are asked for in their order. */
static uint64_t samples_of(struct source_page *p, uint32_t line)
{
	const struct record_file *file = p->a->file;

	while (p->sample < file->n_samples && file->samples[p->sample].line < line)
		p->sample++;
	return p->sample < file->n_samples && file->samples[p->sample].line == line ? file->samples[p->sample].samples
										    : 0;
}

static void put_heat(struct source_page *p, uint64_t samples)
{
	unsigned shade = 1 + (unsigned)(9.0 * sqrt((double)samples / (double)p->most_samples));

	page_printf(p->page, "<span class=\"heat h%u\" title=\"samples\">%lu</span>", shade, samples);
}

/* What stands at the right. */
static void put_extras(struct source_page *p, uint32_t line, char kind)
{
	bool contexts = p->contexts.set_of && p->contexts.set_of[line] && kind && kind != 'm';
	uint64_t samples = samples_of(p, line);

	if (!contexts && kind != 'p' && !samples)
		return;
	page_put(p->page, "<span class=\"e\">");
	if (kind == 'p')
		put_branches(p, line);
	if (contexts)
		put_contexts(p, line);
	if (samples)
		put_heat(p, samples);
	page_put(p->page, "</span>");
}

/* The text from @at to @end, with the colours in it. */
static void put_code(struct source_page *p, uint32_t at, uint32_t end)
{
	const char *text = p->a->source.text;

	for (; p->highlight < p->highlights.n; p->highlight++) {
		const struct highlight *h = &p->highlights.items[p->highlight];
		uint32_t from = h->start > at ? h->start : at, to = h->end < end ? h->end : end;

		if (from >= end)
			break;
		page_code(p->page, text + at, from - at);
		if (to > from) {
			page_printf(p->page, "<span class=\"%c\">", h->kind);
			page_code(p->page, text + from, to - from);
			page_put(p->page, "</span>");
		}
		at = to > at ? to : at;
		if (h->end > end) /* it goes on in the next line */
			break;
	}
	page_code(p->page, text + at, end - at);
}

static void put_line(struct source_page *p, uint32_t line)
{
	const struct analysis *a = p->a;
	uint32_t first = analysis_first_line(a, line);
	char kind = first_line_kind(p, line);
	bool continued = !kind && first != line;
	size_t n;

	if (first == line) {
		p->statement = line;
		p->statement_kind = kind;
	}
	if (continued && p->statement == first)
		kind = p->statement_kind;
	if (p->block == 0)
		page_put(p->page, "<div>\n");
	page_printf(p->page, "<p id=\"t%u\"", line);
	if (kind)
		page_printf(p->page, " class=\"%c%s\"", kind, continued ? " c" : "");
	page_printf(p->page, "><a href=\"#t%u\">%u</a>", line, line);
	put_extras(p, line, continued ? 0 : kind);
	if (source_line(&a->source, line, &n))
		put_code(p, a->source.starts[line], a->source.starts[line] + (uint32_t)n);
	page_put(p->page, "</p>\n");
	if (++p->block == BLOCK_LINES) {
		page_put(p->page, "</div>\n");
		p->block = 0;
	}
}

/* -------------------------------------------------------------------------------------------------------- the page */

static void put_toggle(struct page *page, char kind, uint64_t n, const char *text)
{
	page_printf(
		page,
		"<button type=\"button\" class=\"%c\" value=\"%c\" aria-pressed=\"%s\" title=\"show or hide: %c\">%lu %s</button>\n",
		kind, kind, kind == 'r' ? "false" : "true", kind, n, text);
}

static void put_header(struct source_page *p, const char *previous, const char *next)
{
	const struct numbers *n = &p->a->numbers;
	struct page *page = p->page;

	page_put(page, "<header>\n<h1>");
	page_text(page, p->a->name);
	page_put(page, " <span class=\"total\">");
	html_percent(page, p->common, n);
	page_put(page, "</span></h1>\n<nav>\n");
	put_toggle(page, 'r', n->n_statements - n->n_missing, "run");
	put_toggle(page, 'm', n->n_missing, "missing");
	put_toggle(page, 'x', n->n_excluded, "excluded");
	if (p->common->has_branches)
		put_toggle(page, 'p', n->n_partial_branches, "partial");
	page_put(page, "<span class=\"spacer\"></span>\n");
	page_printf(page, "<a id=\"previous\" href=\"%s\" title=\"previous file: [\">« previous</a>\n", previous);
	page_put(page, "<a id=\"up\" href=\"index.html\" title=\"index: u\">index</a>\n");
	page_printf(page, "<a id=\"next\" href=\"%s\" title=\"next file: ]\">next »</a>\n", next);
	page_put(page, "<button type=\"button\" id=\"help-button\" title=\"keys\">?</button>\n</nav>\n</header>\n");
}

/* Lines of the data whose source is not there: numbers alone. */
static void put_without_source(struct source_page *p)
{
	page_put(p->page, "<p class=\"note\">The source is not there. These are the numbers of its lines.</p>\n");
}

static void put_lines(struct source_page *p)
{
	unsigned digits = 1;

	for (uint32_t n = p->a->n_lines; n >= 10; n /= 10)
		digits++;
	for (size_t i = 0; i < p->a->file->n_samples; i++)
		if (p->a->file->samples[i].samples > p->most_samples)
			p->most_samples = p->a->file->samples[i].samples;
	if (!p->a->source.text)
		put_without_source(p);
	page_printf(p->page, "<main id=\"source\" class=\"show-m show-x show-p w%u\">\n", digits < 4 ? 4 : digits);
	for (uint32_t line = 1; line <= p->a->n_lines; line++)
		if (p->a->source.text || p->a->lines[line])
			put_line(p, line);
	if (p->block)
		page_put(p->page, "</div>\n");
	page_put(p->page, "</main>\n<canvas id=\"map\" hidden></canvas>\n");
}

static void put_set(struct source_page *p, uint32_t set)
{
	bool any = false;

	page_put(p->page, "[");
	for (size_t i = 0; i < p->a->file->n_lines; i++)
		if (line_contexts_has(&p->contexts, set, i)) {
			page_printf(p->page, "%s%zu", any ? "," : "", i);
			any = true;
		}
	page_put(p->page, "]");
}

/* For script.js: the names, and the sets of indexes that the buttons refer to. */
static void put_context_table(struct source_page *p)
{
	page_put(p->page, "<script type=\"application/json\" id=\"contexts\">{\"names\":[");
	for (size_t i = 0; i < p->a->file->n_lines; i++) {
		if (i)
			page_put(p->page, ",");
		page_json(p->page, p->a->file->lines[i].context->name);
	}
	page_put(p->page, "],\n\"sets\":[");
	for (uint32_t set = 0; set < p->contexts.n_sets; set++) {
		if (set)
			page_put(p->page, ",\n");
		put_set(p, set);
	}
	page_put(p->page, "]}</script>\n");
}

static void put_help(struct source_page *p)
{
	page_printf(p->page,
		    "<aside id=\"help\" hidden>\n<dl>\n"
		    "<dt><kbd>r</kbd> <kbd>m</kbd> <kbd>x</kbd>%s<dd>show or hide lines\n"
		    "<dt><kbd>j</kbd> <kbd>k</kbd><dd>next, previous marked lines\n"
		    "<dt><kbd>1</kbd><dd>first marked lines\n"
		    "<dt><kbd>0</kbd><dd>top\n"
		    "<dt><kbd>[</kbd> <kbd>]</kbd><dd>previous, next file\n"
		    "<dt><kbd>u</kbd><dd>up to the index\n"
		    "<dt><kbd>?</kbd><dd>this help\n</dl>\n</aside>\n",
		    p->common->has_branches ? " <kbd>p</kbd>" : "");
}

int html_source_page(struct page *page, const struct html_common *common, const struct analysis *a,
		     const char *previous, const char *next)
{
	_cleanup_(source_page_deinit) struct source_page p = {.page = page, .common = common, .a = a};
	int r = 0;

	if (a->source.text)
		r = highlights_find(&a->source, &p.highlights);
	if (r == 0 && common->options->show_contexts)
		r = line_contexts_find(a, &p.contexts);
	if (r < 0)
		return r;
	html_head(page, common, "file", a->name);
	put_header(&p, previous, next);
	put_lines(&p);
	if (common->options->show_contexts)
		put_context_table(&p);
	page_printf(page, "<footer>%s</footer>\n", common->created);
	put_help(&p);
	page_put(page, "</body>\n</html>\n");
	return page->failed ? -ENOMEM : 0;
}
