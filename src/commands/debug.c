#include "commands/debug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "data/data_files.h"
#include "data/datafile.h"

enum { OPT_DATA_FILE = 256, OPT_RCFILE };

static const struct cli_option rows[] = {
	{OPT_DATA_FILE, "data-file", "FILE", "the data file (default: .coverage, or $COVERAGE_FILE)", true},
	{OPT_RCFILE, "rcfile", "FILE", "read the settings from FILE (default: .coveragerc, setup.cfg, ...)", true},
};

struct debug_options {
	const char *rcfile, *data_file;
};

static int apply(void *arg, int id, const char *value)
{
	struct debug_options *o = arg;

	if (id == OPT_DATA_FILE)
		o->data_file = value;
	else
		o->rcfile = value;
	return *value || id == OPT_RCFILE ? 0 : -EINVAL;
}

/* A file name for a terminal. */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar((unsigned char)*name < ' ' || *name == 127 ? '?' : *name);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* The lines that ran in any context. */
static int count_lines(const struct record_file *file, size_t *ret)
{
	_cleanup_(lineset_deinit) struct lineset all = {0};
	int r = 0;

	for (size_t i = 0; i < file->n_lines && r == 0; i++)
		r = lineset_or(&all, &file->lines[i].lines);
	*ret = all.count;
	return r;
}

static int print_record(const struct record *record)
{
	_cleanup_free_ struct record_file **files = NULL;
	size_t n, lines;
	int r = record_sorted_files(record, &files, &n);

	if (r < 0)
		return r;
	printf("has_arcs: %s\n%zu file%s:\n", record->has_arcs ? "True" : "False", n, plural(n));
	for (size_t i = 0; i < n && r == 0; i++) {
		r = count_lines(files[i], &lines);
		print_name(files[i]->path);
		printf(": %zu line%s", lines, plural(lines));
		if (files[i]->tracer) {
			printf(" [");
			print_name(files[i]->tracer);
			putchar(']');
		}
		putchar('\n');
	}
	return r;
}

static int show_file(const char *path)
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	_cleanup_record_ struct record record;
	int r;

	record_init(&record);
	printf("path: ");
	print_name(path);
	putchar('\n');
	r = datafile_init(&file, path);
	if (r == 0)
		r = datafile_read_any(&file, &record);
	if (r == 0)
		r = print_record(&record);
	if (r == -ENOENT) {
		puts("No data collected: file doesn't exist");
		return 0;
	}
	if (r < 0) {
		fflush(stdout);
		log_error("%s: %s", path, *file.why ? file.why : strerror(-r));
	}
	return r < 0;
}

static int show_data(const char *data_file)
{
	_cleanup_free_ char *path = NULL;
	struct string_list parts = {0};
	const char *missing;
	int status;

	if (data_file_absolute(data_file, &path) < 0 || data_files_find(data_file, NULL, 0, &parts, &missing) < 0) {
		log_error("out of memory");
		return 1;
	}
	status = show_file(path);
	for (size_t i = 0; i < parts.n; i++) {
		puts("-----");
		status |= show_file(parts.items[i]);
	}
	string_list_deinit(&parts);
	return status;
}

static int show(const struct debug_options *o, bool data)
{
	_cleanup_config_ struct config config;
	char why[512];
	int r = config_read(&config, o->rcfile, why, sizeof(why));

	if (r < 0) {
		log_error("%s", why);
		return 1;
	}
	if (data)
		return show_data(o->data_file ? o->data_file : config.run.data_file);
	config_print(&config, stdout);
	return 0;
}

static int run(int argc, char **argv)
{
	struct debug_options o = {0};
	int operand, status;

	if (cli_is_over(cli_parse(&command_debug, &o, argc, argv, &operand), &status))
		return status;
	if (argc - operand == 1 && (!strcmp(argv[operand], "config") || !strcmp(argv[operand], "data")))
		return show(&o, !strcmp(argv[operand], "data"));
	cli_wrong(&command_debug, "what to show is needed: config or data");
	return CLI_EXIT_USAGE;
}

const struct cli_command command_debug = {
	.name = "debug",
	.operands = "config|data",
	.summary = "show the settings in force, or what is in data files",
	.text = "\nconfig: all settings, of the configuration file and the environment. data: the files in the data file, and\n"
		"in those that `combine` would take, with the number of lines that ran.\n",
	.options = rows,
	.n_options = ARRAY_SIZE(rows),
	.apply = apply,
	.run = run,
};
