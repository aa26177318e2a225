#include "commands/report.h"

#include "report/formats.h"

static const struct cli_option options[] = {
	{'m', "show-missing", NULL, "show the numbers of the lines that did not run", false},
	REPORT_ROWS_SKIP,
	REPORT_ROW_SKIP_EMPTY,
	{REPORT_OPT_SORT, "sort", "COLUMN", "sort by name, stmts, miss, branch, brpart or cover; -COLUMN: downwards",
	 false},
	{REPORT_OPT_FORMAT, "format", "FORMAT", "text, markdown or total (default: text)", false},
	REPORT_ROW_PRECISION,
	REPORT_ROW_CONTEXTS,
	REPORT_ROWS_COMMON,
	REPORT_ROW_KEEP_COMBINED,
};

static int run(int argc, char **argv)
{
	static const struct report_command report = {.command = &command_report, .write = report_text};

	return report_cli_run(&report, argc, argv);
}

const struct cli_command command_report = {
	.name = "report",
	.operands = "[FILE...]",
	.summary = "show how much of each file ran",
	.text = "\nStatements, excluded lines and percentages are coverage.py's. No Python is needed.\n",
	.epilog = "The exit status is 0, 1 if there is no report, 2 if the total is below --fail-under.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = report_cli_apply,
	.run = run,
};
