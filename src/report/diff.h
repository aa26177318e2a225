/** `pycov-trace diff`: two runs compared, and a change of the sources compared with what ran. */
#pragma once

#include <stdio.h>

#include "report/patch.h"
#include "report/report.h"

struct diff_options {
	const struct report_options *report; /* include, omit, contexts, precision, ... */
	bool json, show_source;
};

/**
 * Write which lines data file @p a has and @p b has not, and the other way round. @p *different is how many.
 * On failure @p why says what is wrong.
 */
int diff_runs(const struct diff_options *options, const char *a, const char *b, FILE *out, uint64_t *different,
	      char why[REPORT_WHY_MAX]) must_check;

/**
 * Write how much of what @p patch adds and changes has run. Its paths are relative to the directory @p top. @p *total
 * is the percentage.
 */
int diff_patch(const struct diff_options *options, const struct patch *patch, const char *top, FILE *out, double *total,
	       char why[REPORT_WHY_MAX]) must_check;

/**
 * Read what `git diff` says of the work tree against @p revision; yield the top of the tree, which the caller frees.
 * -EIO: git has said what is wrong.
 */
int diff_from_git(const char *revision, struct patch *patch, char **top, char why[REPORT_WHY_MAX]) must_check;
