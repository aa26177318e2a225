#include "commands/combine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "data/combine.h"
#include "data/data_files.h"

enum { OPT_DATA_FILE = 256, OPT_KEEP, OPT_RCFILE };

#define DATA_FILE_ROW                                                                                                  \
	{                                                                                                              \
		OPT_DATA_FILE, "data-file", "FILE", "the data file (default: .coverage, or $COVERAGE_FILE)", true      \
	}
#define RCFILE_ROW                                                                                                     \
	{                                                                                                              \
		OPT_RCFILE, "rcfile", "FILE", "read settings from FILE (default: .coveragerc, setup.cfg, ...)", true   \
	}

static const struct cli_option combine_rows[] = {
	{'a', "append", NULL, "add to the data file instead of replacing it", false},
	{OPT_KEEP, "keep", NULL, "do not remove the files that were combined", false},
	DATA_FILE_ROW,
	RCFILE_ROW,
	{'q', "quiet", NULL, "say nothing but errors", false},
};

static const struct cli_option erase_rows[] = {
	DATA_FILE_ROW,
	RCFILE_ROW,
};

/* Of both commands. */
struct data_options {
	const char *data_file, *rcfile;
	bool append, keep, quiet;
	struct config config;
};

static int apply(void *arg, int id, const char *value)
{
	struct data_options *o = arg;

	switch (id) {
	case 'a':
		o->append = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case OPT_KEEP:
		o->keep = true;
		return 0;
	case OPT_RCFILE:
		o->rcfile = value;
		return 0;
	case OPT_DATA_FILE:
		o->data_file = value;
		return *value ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int read_settings(struct data_options *o)
{
	char why[512];
	int r = config_read(&o->config, o->rcfile, why, sizeof(why));

	if (r < 0)
		log_error("%s", why);
	else if (!o->data_file)
		o->data_file = o->config.run.data_file;
	return r;
}

static const char *plural(size_t n)
{
	return n == 1 ? "file" : "files";
}

/* The words of coverage.py, which scripts look for. */
static void print_result(const struct combine_result *result)
{
	fprintf(stderr, "Combined %zu %s", result->combined, plural(result->combined));
	if (result->skipped)
		fprintf(stderr, ", skipped %zu", result->skipped);
	if (result->errored)
		fprintf(stderr, ", %zu %s errored", result->errored, plural(result->errored));
	fputc('\n', stderr);
}

static int combine_paths(struct data_options *o, char *const *paths, size_t n_paths)
{
	const struct combine_options options = {
		.data_file = o->data_file,
		.paths = paths,
		.n_paths = n_paths,
		.append = o->append,
		.keep = o->keep,
		.debug = string_list_has(&o->config.run.debug, "combine"),
	};
	struct combine_result result;
	char why[COMBINE_WHY_MAX];
	int r = combine(&options, &o->config, &result, why);

	if (r < 0)
		log_error("%s", why);
	else if (!o->quiet)
		print_result(&result);
	return r < 0;
}

static int run_combine(int argc, char **argv)
{
	struct data_options o = {0};
	int operand, status = 1;

	if (cli_is_over(cli_parse(&command_combine, &o, argc, argv, &operand), &status))
		return status;
	if (o.quiet)
		log_set_level(LOG_LEVEL_ERROR);
	if (read_settings(&o) == 0)
		status = combine_paths(&o, argv + operand, (size_t)(argc - operand));
	config_deinit(&o.config);
	return status;
}

/* ------------------------------------------------------------------------------------------------------------- erase */

static int erase_file(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	log_error("cannot remove %s: %s", path, strerror(errno));
	return 1;
}

/* Those of a parallel run go too if the settings are for one. */
static int erase_files(const struct data_options *o)
{
	struct string_list parts = {0};
	const char *missing;
	int status = erase_file(o->data_file);

	if (!o->config.run.parallel)
		return status;
	if (data_files_find(o->data_file, NULL, 0, &parts, &missing) < 0) {
		log_error("out of memory");
		return 1;
	}
	for (size_t i = 0; i < parts.n; i++)
		status |= erase_file(parts.items[i]);
	string_list_deinit(&parts);
	return status;
}

static int run_erase(int argc, char **argv)
{
	struct data_options o = {0};
	int operand, status = 1;

	if (cli_is_over(cli_parse(&command_erase, &o, argc, argv, &operand), &status))
		return status;
	if (operand < argc) {
		cli_wrong(&command_erase, "no operand is possible: %s", argv[operand]);
		return CLI_EXIT_USAGE;
	}
	if (read_settings(&o) == 0)
		status = erase_files(&o);
	config_deinit(&o.config);
	return status;
}

const struct cli_command command_combine = {
	.name = "combine",
	.operands = "[FILE|DIRECTORY...]",
	.summary = "make one data file of several",
	.text = "\nCombine the data files FILE.*, beside the data file FILE or in the directories that are named, and files\n"
		"that are named, in FILE. Names of source files are changed as [paths] of the settings has it.\n",
	.options = combine_rows,
	.n_options = ARRAY_SIZE(combine_rows),
	.apply = apply,
	.run = run_combine,
};

const struct cli_command command_erase = {
	.name = "erase",
	.operands = "",
	.summary = "remove the data file",
	.text = "\nRemove the data file, and with `parallel` in the settings those of a parallel run.\n",
	.options = erase_rows,
	.n_options = ARRAY_SIZE(erase_rows),
	.apply = apply,
	.run = run_erase,
};
