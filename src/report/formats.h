/** The formats of reports: see report_write_fn. */
#pragma once

#include "report/report_cli.h"

/** A table, in plain text or Markdown, or the total alone. */
int report_text(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX]) must_check;

/** Cobertura's. */
int report_xml(struct report *report, const struct report_options *options, FILE *out, double *total,
	       char why[REPORT_WHY_MAX]) must_check;

/** coverage.py's, format 3. */
int report_json(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX]) must_check;

/** geninfo(1)'s. */
int report_lcov(struct report *report, const struct report_options *options, FILE *out, double *total,
		char why[REPORT_WHY_MAX]) must_check;
