/**
 * What all reports share: the data, the files to report, and the analysis of each, one after the
 * other in coverage.py's order.
 */
#pragma once

#include "base/cleanup.h"
#include "base/string_list.h"
#include "report/analysis.h"

struct config;

/** Settings of a report; report_options_set() fills in what is common to all formats. */
struct report_options {
	const struct config *config;	  /* of report_options_set(), for [paths]; may be NULL */
	char *data_file;		  /* .coverage, or $COVERAGE_FILE */
	struct string_list include, omit; /* patterns of [report] include, omit */
	struct string_list contexts;	  /* regular expressions; empty: all contexts */
	struct string_list exclude;	  /* regular expressions: exclude_lines and exclude_also */
	struct string_list partial;	  /* partial_branches, partial_also and partial_branches_always */
	struct string_list source;	  /* [run] source: the <source> elements of the XML */
	struct string_list modules;	  /* files to report, by name; empty: all */
	bool ignore_errors, skip_covered, skip_empty, show_missing;
	bool relative_files;
	int precision;
	double fail_under;
	char *python; /* to compile files that never ran; NULL: python3 of the PATH; "": none */
	char *sort, *format;
	bool show_contexts, pretty_print, line_checksums;
	int package_depth; /* of the XML */
	char *output;	   /* of the report, NULL: the default of the format */
	bool quiet;
};

/** Set @p options from the settings that were read, or their defaults; these must live as long. -ENOMEM. */
int report_options_set(struct report_options *options, const struct config *config) must_check;
void report_options_deinit(struct report_options *options);

struct report;

#define REPORT_WHY_MAX 1024

/**
 * Read the data and choose the files. On failure @p why says what is wrong, "No data to report."
 * for one (-ENODATA). @p options stay the caller's and must live as long.
 */
int report_open(const struct report_options *options, char why[REPORT_WHY_MAX], struct report **ret) must_check;

/** NULL is accepted. */
void report_close(struct report *report);

/** The data as they were read. */
const struct record *report_record(const struct report *report);

/** True if the data are branches, not lines alone. */
bool report_has_branches(const struct report *report);

/** False if --contexts leaves it out. */
bool report_wants_context(const struct report *report, const char *context);

/** How many files there are to report, those included that cannot be. */
size_t report_n_files(const struct report *report);

/** Leave out the files for which @p wanted is false. Before the first report_next(). */
void report_keep(struct report *report, bool (*wanted)(void *arg, const char *path), void *arg);

/**
 * Yield the next file. 1: here is one, the caller deinits it; 0: that was all. -ENOENT: no source;
 * -EBADMSG: not Python; others: @p why says which file and what, "PATH: WHY". With ignore_errors
 * such files are passed over with a warning.
 */
int report_next(struct report *report, struct analysis *ret, char why[REPORT_WHY_MAX]) must_check;
