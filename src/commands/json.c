#include "commands/json.h"

#include <string.h>

#include "report/formats.h"

static const struct cli_option options[] = {
	REPORT_ROWS_OUTPUT,
	{REPORT_OPT_PRETTY_PRINT, "pretty-print", NULL, "indented, a thing a line", false},
	{REPORT_OPT_SHOW_CONTEXTS, "show-contexts", NULL, "the contexts of each line", false},
	REPORT_ROW_CONTEXTS,
	REPORT_ROWS_COMMON,
	REPORT_ROW_KEEP_COMBINED,
};

static int set(struct report_options *options, const struct config *config)
{
	options->pretty_print = config->json.pretty_print;
	options->show_contexts = config->json.show_contexts;
	options->output = strdup(config->json.output);
	return options->output ? 0 : -ENOMEM;
}

static int run(int argc, char **argv)
{
	static const struct report_command report = {
		.command = &command_json,
		.what = "JSON report",
		.write = report_json,
		.set = set,
	};

	return report_cli_run(&report, argc, argv);
}

const struct cli_command command_json = {
	.name = "json",
	.operands = "[FILE...]",
	.summary = "write a JSON report, as coverage.py's (format 3)",
	.epilog = "The exit status is 0, 1 if there is no report, 2 if the total is below --fail-under.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = report_cli_apply,
	.run = run,
};
