#include "commands/html.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "report/html/html.h"
#include "report/report_cli.h"

#define OPT_TITLE REPORT_OPT_OWN

static const struct cli_option rows[] = {
	REPORT_ROWS_COMMON,
	REPORT_ROW_KEEP_COMBINED,
	{'d', "directory", "DIR", "write the pages to DIR (default: htmlcov)", true},
	{OPT_TITLE, "title", "TITLE", "the title of the index pages", false},
	REPORT_ROW_CONTEXTS,
	{REPORT_OPT_SHOW_CONTEXTS, "show-contexts", NULL, "show which contexts ran each line", false},
	REPORT_ROW_PRECISION,
	REPORT_ROWS_SKIP,
	REPORT_ROW_SKIP_EMPTY,
	{'q', "quiet", NULL, "say nothing but errors", false},
};

/* The last of the values that the command line gives for option @id, or @otherwise. */
static const char *given(const struct report_cli *cli, int id, const char *otherwise)
{
	for (size_t i = 0; i < cli->n; i++)
		if (cli->given[i].id == id)
			otherwise = cli->given[i].value;
	return otherwise;
}

static int write_report(const struct report_options *options, const struct html_options *html, struct numbers *total)
{
	char why[REPORT_WHY_MAX] = "";
	struct report *report = NULL;
	int r = report_open(options, why, &report);

	if (r == 0)
		r = html_write(report, html, total, why);
	if (r < 0)
		log_error("%s", *why ? why : strerror(-r));
	report_close(report);
	return r;
}

static bool choose(enum config_switch own, bool otherwise)
{
	return own == CONFIG_UNSET ? otherwise : own == CONFIG_ON;
}

/* The settings of [html], where there are some, go above those of [report]. */
static int set(struct report_options *options, const struct config *config)
{
	options->show_contexts = config->html.show_contexts;
	options->skip_covered = choose(config->html.skip_covered, options->skip_covered);
	options->skip_empty = choose(config->html.skip_empty, options->skip_empty);
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct report_command command = {.command = &command_html, .what = "HTML report", .set = set};
	_cleanup_report_cli_ struct report_cli cli = {0};
	struct html_options html;
	struct numbers total = {0};

	switch (report_cli_parse(&command, &cli, argc, argv)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return 1;
	case CLI_RUN:
		break;
	}
	html = (struct html_options){
		.directory = given(&cli, 'd', cli.config.html.directory),
		.title = given(&cli, OPT_TITLE, cli.config.html.title),
		.extra_css = cli.config.html.extra_css,
		.show_contexts = cli.options.show_contexts,
		.skip_covered = cli.options.skip_covered,
		.skip_empty = cli.options.skip_empty,
		.precision = cli.options.precision,
	};
	if (write_report(&cli.options, &html, &total) < 0)
		return 1;
	if (!cli.options.quiet)
		printf("Wrote HTML report to %s/index.html\n", html.directory);
	return report_cli_judge(&cli.options, numbers_covered(&total));
}

const struct cli_command command_html = {
	.name = "html",
	.operands = "[FILE...]",
	.summary = "write the report as pages to look at in a browser",
	.text = "\nWrite a folder of pages: tables of files, functions and classes, and the sources with what ran.\n"
		"They open from the disk, without a server or a network. FILE: report on these alone.\n",
	.epilog = "The exit status is 0, 1 if there is no report, 2 if the total is below --fail-under.\n",
	.options = rows,
	.n_options = ARRAY_SIZE(rows),
	.apply = report_cli_apply,
	.run = run,
};
