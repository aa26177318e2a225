/*
 * One file after the other: a page is made when the next one is known, to which it links, and no more than two analyses
 * are held at a time. The rows of the tables are kept as text.
 */
#include "report/html/html.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report/html/folder.h"
#include "report/html/html_pages.h"

extern const char html_style[], html_style_end[], html_script[], html_script_end[]; /* assets.S */

/* ------------------------------------------------------------------------------------------------------ the report */

struct html {
	struct html_common common;
	struct folder folder;
	struct html_index files, functions, classes;
	struct analysis pending; /* its page waits for the name of the next */
	bool has_pending;
	char first[HTML_NAME_MAX], previous[HTML_NAME_MAX], current[HTML_NAME_MAX];
	struct page page;
	char *why;
};

static void html_deinit(struct html *h)
{
	if (h->has_pending)
		analysis_deinit(&h->pending);
	folder_deinit(&h->folder);
	page_deinit(&h->files.rows);
	page_deinit(&h->functions.rows);
	page_deinit(&h->classes.rows);
	page_deinit(&h->page);
}

static int out_of_memory(struct html *h)
{
	snprintf(h->why, REPORT_WHY_MAX, "out of memory");
	return -ENOMEM;
}

static int write_page(struct html *h, const char *name)
{
	int r = h->page.failed ? out_of_memory(h) : folder_write(&h->folder, name, h->page.text, h->page.n, h->why);

	page_clear(&h->page);
	return r;
}

/* The page that waits, now that the name of the one behind it is known. */
static int write_pending(struct html *h, const char *next)
{
	int r;

	if (!h->has_pending)
		return 0;
	r = html_source_page(&h->page, &h->common, &h->pending, *h->previous ? h->previous : "index.html", next);
	analysis_deinit(&h->pending);
	h->has_pending = false;
	return r < 0 ? out_of_memory(h) : write_page(h, h->current);
}

/* Takes @a over. */
static int add_file(struct html *h, struct analysis *a)
{
	char name[HTML_NAME_MAX];
	int r;

	html_page_name(a->file->path, name);
	if (!html_index_add(&h->files, &h->common, name, a->name, NULL, &a->numbers)) {
		analysis_deinit(a);
		return 0;
	}
	r = html_index_add_regions(&h->functions, &h->classes, &h->common, a, name);
	r = r < 0 ? out_of_memory(h) : write_pending(h, name);
	if (r < 0) {
		analysis_deinit(a);
		return r;
	}
	memcpy(h->previous, h->current, sizeof(name));
	memcpy(h->current, name, sizeof(name));
	if (!*h->first)
		memcpy(h->first, name, sizeof(name));
	h->pending = *a;
	h->has_pending = true;
	return 0;
}

static int write_index(struct html *h, const struct html_index *index)
{
	html_index_page(&h->page, index, &h->common, *h->first ? h->first : NULL, h->current);
	return write_page(h, index->name);
}

/* Bars and shades, whose lengths and depths are classes: no style stands in a page. */
static void put_style(struct page *page)
{
	page_put_n(page, html_style, (size_t)(html_style_end - html_style));
	for (int i = 0; i <= 100; i++)
		page_printf(page, ".p%d { --p: %d%%; }\n", i, i);
	for (int i = 1; i <= 10; i++)
		page_printf(page, ".h%d { --h: %d%%; }\n", i, i * 10);
	for (int i = 4; i <= 8; i++)
		page_printf(page, ".w%d { --digits: %dch; }\n", i, i);
}

static int put_file(struct html *h, const char *path)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	char buf[4096];
	size_t n;

	if (!in) {
		snprintf(h->why, REPORT_WHY_MAX, "%s: %s", path, strerror(errno));
		return -errno;
	}
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0 && h->page.n < SOURCE_SIZE_MAX)
		page_put_n(&h->page, buf, n);
	if (!ferror(in))
		return 0;
	snprintf(h->why, REPORT_WHY_MAX, "%s: %s", path, strerror(errno));
	return -EIO;
}

static int write_assets(struct html *h)
{
	int r;

	put_style(&h->page);
	r = write_page(h, HTML_STYLE);
	if (r == 0)
		r = folder_write(&h->folder, HTML_SCRIPT, html_script, (size_t)(html_script_end - html_script), h->why);
	if (r == 0) {
		page_put(&h->page, ".rest { display: table-row-group; }\n");
		r = write_page(h, HTML_NO_SCRIPT_STYLE);
	}
	if (r == 0 && h->common.options->extra_css) {
		r = put_file(h, h->common.options->extra_css);
		if (r == 0)
			r = write_page(h, HTML_EXTRA_STYLE);
	}
	if (r == 0 && h->folder.was_empty) {
		page_put(&h->page, "# Created by pycov-trace\n*\n");
		r = write_page(h, ".gitignore");
	}
	return r;
}

static void set_created(struct html_common *common)
{
	time_t now = time(NULL);
	char text[40] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M %z", &tm);
	snprintf(common->created, sizeof(common->created), "pycov-trace %s, %s", PYCOV_TRACE_VERSION, text);
}

static int write_sources(struct html *h, struct report *report)
{
	struct analysis a;
	int found, r = 0;

	while (r == 0 && (found = report_next(report, &a, h->why)) != 0)
		r = found < 0 ? found : add_file(h, &a);
	return r < 0 ? r : write_pending(h, "index.html");
}

int html_write(struct report *report, const struct html_options *options, struct numbers *total,
	       char why[REPORT_WHY_MAX])
{
	_cleanup_(html_deinit) struct html h = {
		.common = {.options = options, .has_branches = report_has_branches(report)},
		.folder = {.fd = -1},
		.files = {.name = "index.html", .noun = "file", .nouns = "files"},
		.functions = {.name = "function_index.html",
			      .noun = "function",
			      .nouns = "functions",
			      .has_regions = true},
		.classes = {.name = "class_index.html", .noun = "class", .nouns = "classes", .has_regions = true},
		.why = why,
	};
	int r;

	set_created(&h.common);
	r = folder_init(&h.folder, options->directory, why);
	if (r == 0)
		r = write_assets(&h);
	if (r == 0)
		r = write_sources(&h, report);
	if (r == 0)
		r = write_index(&h, &h.functions);
	if (r == 0)
		r = write_index(&h, &h.classes);
	if (r == 0)
		r = write_index(&h, &h.files);
	if (r == 0)
		folder_tidy(&h.folder);
	*total = h.files.total;
	return r;
}
