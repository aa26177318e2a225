#include "commands/xml.h"

#include <string.h>

#include "report/formats.h"

static const struct cli_option options[] = {
	REPORT_ROWS_OUTPUT,
	REPORT_ROW_SKIP_EMPTY,
	REPORT_ROWS_COMMON,
	REPORT_ROW_KEEP_COMBINED,
};

static int set(struct report_options *options, const struct config *config)
{
	/* as in coverage.py, which has all contexts in it */
	string_list_deinit(&options->contexts);
	options->package_depth = config->xml.package_depth;
	options->output = strdup(config->xml.output);
	return options->output ? 0 : -ENOMEM;
}

static int run(int argc, char **argv)
{
	static const struct report_command report = {
		.command = &command_xml,
		.what = "XML report",
		.write = report_xml,
		.set = set,
	};

	return report_cli_run(&report, argc, argv);
}

const struct cli_command command_xml = {
	.name = "xml",
	.operands = "[FILE...]",
	.summary = "write an XML report that tools for Cobertura read",
	.epilog = "The exit status is 0, 1 if there is no report, 2 if the total is below --fail-under.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = report_cli_apply,
	.run = run,
};
