#include "commands/diff.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "report/diff.h"
#include "report/report_cli.h"

#define EXIT_FAILED 1
#define EXIT_DIFFERENT 2

enum {
	OPT_DIFF_BASE = REPORT_OPT_OWN,
	OPT_DIFF_FILE,
	OPT_EXIT_CODE,
	OPT_JSON,
	OPT_SHOW_SOURCE,
};

static const struct cli_option rows[] = {
	{OPT_DIFF_BASE, "diff-base", "REV", "how much ran of what `git diff REV` shows", false},
	{OPT_DIFF_FILE, "diff-file", "PATCH", "how much ran of what this unified diff adds; - for standard input",
	 true},
	{OPT_SHOW_SOURCE, "show-source", NULL, "show the text of the lines", false},
	{OPT_JSON, "json", NULL, "write JSON", false},
	{OPT_EXIT_CODE, "exit-code", NULL, "exit with status 2 if two runs differ", false},
	REPORT_ROW_PRECISION,
	REPORT_ROW_CONTEXTS,
	REPORT_ROWS_COMMON,
};

struct diff_cli {
	const char *base, *file;
	bool exit_code;
	struct diff_options options;
};

static void take_own(const struct report_cli *cli, struct diff_cli *own)
{
	for (size_t i = 0; i < cli->n; i++) {
		switch (cli->given[i].id) {
		case OPT_DIFF_BASE:
			own->base = cli->given[i].value;
			break;
		case OPT_DIFF_FILE:
			own->file = cli->given[i].value;
			break;
		case OPT_EXIT_CODE:
			own->exit_code = true;
			break;
		case OPT_JSON:
			own->options.json = true;
			break;
		case OPT_SHOW_SOURCE:
			own->options.show_source = true;
			break;
		}
	}
}

static int end(int r, const char *why)
{
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		r = -errno;
		why = "standard output cannot be written";
	}
	if (r < 0)
		log_error("%s", *why ? why : strerror(-r));
	return r;
}

static int compare_runs(const struct diff_cli *own, const struct string_list *operands)
{
	char why[REPORT_WHY_MAX] = "";
	uint64_t different = 0;
	int r = diff_runs(&own->options, operands->items[0], operands->items[1], stdout, &different, why);

	if (end(r, why) < 0)
		return EXIT_FAILED;
	return own->exit_code && different ? EXIT_DIFFERENT : 0;
}

/* Where the names of a diff begin: the work tree around the working directory, else the working directory. */
static int find_top(char **ret)
{
	char *path = getcwd(NULL, 0);

	if (!path)
		return -errno;
	*ret = strdup(path);
	for (char *slash = path + strlen(path); *ret && slash; slash = strrchr(path, '/')) {
		_cleanup_free_ char *git = NULL;

		*slash = '\0';
		if (asprintf(&git, "%s/.git", path) < 0) {
			git = NULL;
			break;
		}
		if (access(git, F_OK) == 0) {
			free(*ret);
			*ret = strdup(*path ? path : "/");
			break;
		}
	}
	free(path);
	return *ret ? 0 : -ENOMEM;
}

static int read_patch(const char *path, struct patch *patch, char **top, char why[REPORT_WHY_MAX])
{
	_cleanup_fclose_ FILE *in = strcmp(path, "-") ? fopen(path, "re") : fdopen(dup(STDIN_FILENO), "r");
	unsigned long line = 0;
	int r;

	if (!in) {
		r = -errno;
		snprintf(why, REPORT_WHY_MAX, "%s: %s", path, strerror(-r));
		return r;
	}
	r = find_top(top);
	if (r == 0)
		r = patch_read(in, patch, &line);
	if (r == -EBADMSG)
		snprintf(why, REPORT_WHY_MAX, "%s: line %lu does not fit its unified diff", path, line);
	else if (r < 0)
		snprintf(why, REPORT_WHY_MAX, "%s: %s", path, strerror(-r));
	return r;
}

static int judge_change(const struct diff_cli *own, const struct report_options *options)
{
	_cleanup_patch_ struct patch patch = {0};
	_cleanup_free_ char *top = NULL;
	char why[REPORT_WHY_MAX] = "";
	double total = 100;
	int r = own->base ? diff_from_git(own->base, &patch, &top, why) : read_patch(own->file, &patch, &top, why);

	if (r == 0)
		r = diff_patch(&own->options, &patch, top, stdout, &total, why);
	if (end(r, why) < 0)
		return EXIT_FAILED;
	return report_cli_judge(options, total);
}

static int wrong(const char *message)
{
	cli_wrong(&command_diff, "%s", message);
	return EXIT_FAILED;
}

/* The operands, which other reports take for files to report on, are data files here. */
static int dispatch(struct report_cli *cli, struct diff_cli *own)
{
	struct string_list operands = cli->options.modules;
	int status;

	cli->options.modules = (struct string_list){0};
	if (own->base && own->file)
		status = wrong("--diff-base and --diff-file exclude each other");
	else if (!own->base && !own->file)
		status = operands.n == 2 ? compare_runs(own, &operands)
					 : wrong("two data files, --diff-base or --diff-file are needed");
	else if (operands.n > 1)
		status = wrong("one data file is enough");
	else {
		if (operands.n) {
			free(cli->options.data_file);
			cli->options.data_file = strdup(operands.items[0]);
		}
		status = cli->options.data_file ? judge_change(own, &cli->options) : wrong("out of memory");
	}
	string_list_deinit(&operands);
	return status;
}

/* What is asked of the whole in the settings is not asked of a change. */
static int set(struct report_options *options, const struct config *config)
{
	options->fail_under = 0;
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct report_command command = {.command = &command_diff, .set = set};
	_cleanup_report_cli_ struct report_cli cli = {0};
	struct diff_cli own = {.options.report = &cli.options};

	switch (report_cli_parse(&command, &cli, argc, argv)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return EXIT_FAILED;
	case CLI_RUN:
		break;
	}
	take_own(&cli, &own);
	return dispatch(&cli, &own);
}

const struct cli_command command_diff = {
	.name = "diff",
	.operands = "A B | --diff-base=REV [FILE] | --diff-file=PATCH [FILE]",
	.summary = "show what one run ran and another did not, or what ran of a change",
	.text = "\nA and B are data files: show which lines ran in one and not in the other.\n"
		"With --diff-base or --diff-file, show which lines of a change never ran, by the data in FILE.\n",
	.epilog =
		"The exit status is 0, 1 if something is wrong, 2 if the total of a change is below --fail-under,\n"
		"or two runs differ and --exit-code was given.\n",
	.options = rows,
	.n_options = ARRAY_SIZE(rows),
	.apply = report_cli_apply,
	.run = run,
};
