/** The pages of the HTML report, for html.c. */
#pragma once

#include "report/analysis.h"
#include "report/html/html.h"
#include "report/html/page.h"

#define HTML_NAME_MAX 160
#define HTML_STYLE "pycov-trace.css"
#define HTML_SCRIPT "pycov-trace.js"
#define HTML_NO_SCRIPT_STYLE "pycov-trace-noscript.css"
#define HTML_EXTRA_STYLE "pycov-trace-extra.css"

/** Of a source: "z_", a hash of the path, and what is readable of its last part. */
void html_page_name(const char *path, char ret[HTML_NAME_MAX]);

/** What all pages of a report have in common. */
struct html_common {
	const struct html_options *options;
	bool has_branches;
	char created[64]; /* "pycov-trace 1.0, 2026-01-02 03:04 +0000" */
};

/** From the doctype up to and with `<body class="KIND">`. */
void html_head(struct page *page, const struct html_common *common, const char *kind, const char *title);

/** The class of a bar of that many percent. */
void html_bar(struct page *page, uint64_t covered, uint64_t of);

static inline uint64_t numbers_n_covered(const struct numbers *n)
{
	return n->n_statements - n->n_missing + n->n_branches - n->n_missing_branches;
}

static inline uint64_t numbers_n_of(const struct numbers *n)
{
	return n->n_statements + n->n_branches;
}

/** "87%", as the text report has it. */
void html_percent(struct page *page, const struct html_common *common, const struct numbers *n);

/** The page of a source; the names are those of the pages before and after. */
int html_source_page(struct page *page, const struct html_common *common, const struct analysis *a,
		     const char *previous, const char *next) must_check;

/** A table of files, functions or classes, made row by row. */
struct html_index {
	const char *name;	  /* of the page */
	const char *noun, *nouns; /* "file", "files" */
	bool has_regions;
	struct page rows;
	uint64_t n_rows;
	struct numbers total;
	uint64_t n_skipped_covered, n_skipped_empty;
};

/** Add to the totals, and a row unless it is to be skipped: true if there is one. @p region is NULL for a file. */
bool html_index_add(struct html_index *index, const struct html_common *common, const char *page_name, const char *file,
		    const struct region *region, const struct numbers *n);

/** Add those of the functions or classes of a file. -ENOMEM. */
int html_index_add_regions(struct html_index *functions, struct html_index *classes, const struct html_common *common,
			   const struct analysis *a, const char *page_name) must_check;

/** The whole page; @p first and @p last are the names of source pages, or NULL. */
void html_index_page(struct page *page, const struct html_index *index, const struct html_common *common,
		     const char *first, const char *last);
