/** What the commands that make reports share: options, settings, the output file, --fail-under. */
#pragma once

#include <stdio.h>

#include "base/string_list.h"
#include "cli/cli.h"
#include "config/config.h"
#include "report/report.h"

enum report_option_id {
	REPORT_OPT_DATA_FILE = 256,
	REPORT_OPT_RCFILE,
	REPORT_OPT_INCLUDE,
	REPORT_OPT_OMIT,
	REPORT_OPT_CONTEXTS,
	REPORT_OPT_FAIL_UNDER,
	REPORT_OPT_PRECISION,
	REPORT_OPT_PYTHON,
	REPORT_OPT_SKIP_COVERED,
	REPORT_OPT_NO_SKIP_COVERED,
	REPORT_OPT_SKIP_EMPTY,
	REPORT_OPT_SORT,
	REPORT_OPT_FORMAT,
	REPORT_OPT_SHOW_CONTEXTS,
	REPORT_OPT_PRETTY_PRINT,
	REPORT_OPT_KEEP_COMBINED,
	REPORT_OPT_OWN, /* a command's own begin here */
};

/* Rows for the tables of options. */
/* clang-format off */
#define REPORT_ROWS_COMMON                                                                                       \
	{REPORT_OPT_DATA_FILE, "data-file", "FILE", "read the data of FILE (default: .coverage, or $COVERAGE_FILE)", \
	 true},                                                                                                  \
	{REPORT_OPT_INCLUDE, "include", "PAT,...", "only files whose names match one of these patterns", false}, \
	{REPORT_OPT_OMIT, "omit", "PAT,...", "leave out files whose names match one of these patterns", false},  \
	{REPORT_OPT_FAIL_UNDER, "fail-under", "MIN", "exit with status 2 if the total is below MIN percent",     \
	 false},                                                                                                 \
	{REPORT_OPT_RCFILE, "rcfile", "FILE", "read the settings from FILE (default: .coveragerc, setup.cfg, ...)", \
	 true},                                                                                                  \
	{'i', "ignore-errors", NULL, "go on where a source cannot be read or parsed", false},                    \
	{REPORT_OPT_PYTHON, "python", "EXE",                                                                     \
	 "compile what never ran with this Python (default: python3; '' for none)", true}
#define REPORT_ROW_KEEP_COMBINED                                                                                 \
	{REPORT_OPT_KEEP_COMBINED, "keep-combined", NULL, "accepted: files of a parallel run are kept in any case", false}
#define REPORT_ROW_CONTEXTS                                                                                      \
	{REPORT_OPT_CONTEXTS, "contexts", "RE,...", "only lines that ran in contexts that match one of these", false}
#define REPORT_ROW_PRECISION                                                                                     \
	{REPORT_OPT_PRECISION, "precision", "N", "digits after the decimal point of percentages", false}
#define REPORT_ROWS_SKIP                                                                                         \
	{REPORT_OPT_SKIP_COVERED, "skip-covered", NULL, "leave out files without anything missing", false},      \
	{REPORT_OPT_NO_SKIP_COVERED, "no-skip-covered", NULL, "show them, whatever the settings say", false}
#define REPORT_ROW_SKIP_EMPTY {REPORT_OPT_SKIP_EMPTY, "skip-empty", NULL, "leave out files without code", false}
#define REPORT_ROWS_OUTPUT                                                                                       \
	{'o', "output", "FILE", "write to FILE, - for standard output", true},                                   \
	{'q', "quiet", NULL, "say nothing but errors", false}
/* clang-format on */

/** Options of the command line, which go above the settings. All zeros at first. */
struct report_cli {
	struct {
		int id;
		const char *value;
	} given[64];
	size_t n;
	const char *rcfile;
	struct config config;
	struct report_options options;
};

/** For cli_command.apply; its `arg` is a struct report_cli. */
int report_cli_apply(void *arg, int id, const char *value);

/**
 * Write a report of all files to @p out and yield the percentage that --fail-under judges. On
 * failure @p why says what is wrong.
 */
typedef int (*report_write_fn)(struct report *report, const struct report_options *options, FILE *out, double *total,
			       char why[REPORT_WHY_MAX]);

/** A command that makes one report. */
struct report_command {
	const struct cli_command *command;
	const char *what; /* the name of the report, "XML report"; NULL: it goes to standard output */
	report_write_fn write;
	/* Take over settings of its own section. -ENOMEM. NULL: there is none. */
	int (*set)(struct report_options *options, const struct config *config);
};

/**
 * Parse the command line, read the settings, and set `options`. CLI_WRONG: it was said.
 * report_cli_deinit() in each case.
 */
enum cli_result report_cli_parse(const struct report_command *command, struct report_cli *cli, int argc,
				 char **argv) must_check;
void report_cli_deinit(struct report_cli *cli);
#define _cleanup_report_cli_ _cleanup_(report_cli_deinit)

/** Run it: the exit status. */
int report_cli_run(const struct report_command *command, int argc, char **argv);

/** The exit status that --fail-under asks for, 0 or 2; says why it is 2. 1 if the setting is wrong. */
int report_cli_judge(const struct report_options *options, double total);

/** True if @p a is below, as the total of --fail-under is, at that precision. */
bool report_fails_under(double total, double fail_under, int precision);
