#include "commands/lcov.h"

#include <string.h>

#include "report/formats.h"

static const struct cli_option options[] = {
	REPORT_ROWS_OUTPUT,
	REPORT_ROWS_COMMON,
	REPORT_ROW_KEEP_COMBINED,
};

static int set(struct report_options *options, const struct config *config)
{
	/* as in coverage.py, which has all contexts in it */
	string_list_deinit(&options->contexts);
	options->line_checksums = config->lcov.line_checksums;
	options->output = strdup(config->lcov.output);
	return options->output ? 0 : -ENOMEM;
}

static int run(int argc, char **argv)
{
	static const struct report_command report = {
		.command = &command_lcov,
		.what = "LCOV report",
		.write = report_lcov,
		.set = set,
	};

	return report_cli_run(&report, argc, argv);
}

const struct cli_command command_lcov = {
	.name = "lcov",
	.operands = "[FILE...]",
	.summary = "write a report that genhtml reads",
	.epilog = "The exit status is 0, 1 if there is no report, 2 if the total is below --fail-under.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = report_cli_apply,
	.run = run,
};
