/**
 * The HTML report: a folder of pages that needs nothing else, neither a server nor a network.
 *
 * index.html, function_index.html and class_index.html have the tables, a page named after each file its source. They
 * are readable without script.js, which sorts, filters and moves, and hold no scripts or styles of their own, so that
 * strict content security policies may stand. How it is looks is in style.css.
 */
#pragma once

#include "base/cleanup.h"
#include "report/report.h"

struct html_options {
	const char *directory, *title;
	const char *extra_css; /* a file to copy and use, or NULL */
	bool show_contexts, skip_covered, skip_empty;
	int precision;
};

/** Write it. @p total is that of all files, skipped ones too. @p why says what is wrong. */
int html_write(struct report *report, const struct html_options *options, struct numbers *total,
	       char why[REPORT_WHY_MAX]) must_check;
