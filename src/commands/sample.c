#include "commands/sample.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "sample/sample.h"

#define RATE_DEFAULT 100
#define RATE_MAX 1000000

enum {
	ID_PID = 'p',
	ID_RATE = 'r',
	ID_DURATION = 'd',
	ID_FORMAT = 'f',
	ID_OUTPUT = 'o',
	ID_NATIVE = 'n',
	ID_GIL = 'g',
	ID_IDLE = 'i',
	ID_THREADS = 't',
	ID_SUBPROCESSES = 's',
	ID_FUNCTION = 'F',
	ID_VERBOSE = 'v',
	ID_QUIET = 'q',
	ID_NO_SUBPROCESSES = 256,
	ID_BLOCKING,
	ID_NONBLOCKING,
	ID_FULL_FILENAMES,
	ID_DATA_FILE,
	ID_APPEND = 'a',
	ID_ASYNC = 0x200,
	ID_SOURCE,
	ID_INCLUDE,
	ID_OMIT,
	ID_PYLIB,
	ID_RCFILE,
};

struct arguments {
	struct sample_options sample;
	struct options record; /* of the data file */
};

static int set_number(struct sample_options *o, int id, const char *text)
{
	double number;
	int r;

	switch (id) {
	case ID_PID:
		return cli_parse_pid(text, &o->pid);
	case ID_RATE:
		r = cli_parse_number(text, 1, RATE_MAX, &number);
		o->sampler.rate = r < 0 ? 0 : (unsigned int)number;
		return r;
	default:
		return cli_parse_number(text, 0, 1e9, &o->duration);
	}
}

static int set_flag(struct sample_options *o, int id)
{
	const struct {
		int id;
		bool *flag, value;
	} flags[] = {
		{ID_NATIVE, &o->sampler.native, true},
		{ID_GIL, &o->sampler.gil, true},
		{ID_IDLE, &o->sampler.idle, true},
		{ID_THREADS, &o->view.threads, true},
		{ID_SUBPROCESSES, &o->sampler.subprocesses, true},
		{ID_NO_SUBPROCESSES, &o->sampler.subprocesses, false},
		{ID_BLOCKING, &o->sampler.blocking, true},
		{ID_NONBLOCKING, &o->sampler.blocking, false},
		{ID_FULL_FILENAMES, &o->view.full_filenames, true},
		{ID_FUNCTION, &o->view.functions, true},
		{ID_ASYNC, &o->sampler.async, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].id == id)
			*flags[i].flag = flags[i].value;
	return 0;
}

static int set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

/* What the data file is to have in it. */
static int set_record(struct options *record, int id, const char *value)
{
	switch (id) {
	case ID_DATA_FILE:
		return *value ? set_text(&record->data_file, value) : -EINVAL;
	case ID_RCFILE:
		return set_text(&record->rcfile, value);
	case ID_SOURCE:
		return string_list_add(&record->source, value);
	case ID_INCLUDE:
		return string_list_add(&record->include, value);
	case ID_OMIT:
		return string_list_add(&record->omit, value);
	case ID_PYLIB:
		record->pylib = true;
		return 0;
	default:
		record->append = true;
		return 0;
	}
}

static int apply(void *arg, int id, const char *value)
{
	struct arguments *a = arg;
	struct sample_options *o = &a->sample;

	switch (id) {
	case ID_PID:
	case ID_RATE:
	case ID_DURATION:
		return set_number(o, id, value);
	case ID_FORMAT:
		o->format = profile_format_find(value);
		return o->format ? 0 : -EINVAL;
	case ID_OUTPUT:
		o->output = value;
		return 0;
	case ID_DATA_FILE:
	case ID_APPEND:
	case ID_SOURCE:
	case ID_INCLUDE:
	case ID_OMIT:
	case ID_PYLIB:
	case ID_RCFILE:
		return set_record(&a->record, id, value);
	case ID_VERBOSE:
		o->verbose = 1;
		return 0;
	case ID_QUIET:
		o->verbose = -1;
		return 0;
	}
	return set_flag(o, id);
}

static const struct cli_option options[] = {
	{ID_PID, "pid", "PID", "sample this process, instead of running a command", false},
	{ID_RATE, "rate", "N", "samples per second (100)", false},
	{ID_DURATION, "duration", "SECONDS", "end after so long (at the end of the process, or at Ctrl-C)", false},
	{ID_FORMAT, "format", "NAME", "folded, flamegraph, speedscope, pprof, gecko or table (table)", false},
	{ID_OUTPUT, "output", "FILE", "write the profile there", true},
	{ID_DATA_FILE, "data-file", "FILE", "write the sampled lines to this data file, in the context \"sampled\"",
	 true},
	{ID_APPEND, "append", NULL, "add to the data file instead of replacing it", false},
	{ID_SOURCE, "source", "SRC,...", "with --data-file: only code in these directories or packages", false},
	{ID_INCLUDE, "include", "PAT,...", "with --data-file: only files whose names match one of these patterns",
	 false},
	{ID_OMIT, "omit", "PAT,...", "with --data-file: not files whose names match one of these patterns", false},
	{ID_PYLIB, "pylib", NULL, "with --data-file: the standard library and installed packages as well", false},
	{ID_RCFILE, "rcfile", "FILE", "with --data-file: read settings from FILE (default: .coveragerc, ...; '': none)",
	 true},
	{ID_NATIVE, "native", NULL, "also frames of compiled code; stops each thread while it is read", false},
	{ID_ASYNC, "async", NULL, "asyncio: show a task below those that wait for it, not below its loop", false},
	{ID_GIL, "gil", NULL, "only threads that hold the GIL", false},
	{ID_IDLE, "idle", NULL, "also threads that wait", false},
	{ID_THREADS, "threads", NULL, "tell threads apart", false},
	{ID_SUBPROCESSES, "subprocesses", NULL, "also the processes that it starts (the default)", false},
	{ID_NO_SUBPROCESSES, "no-subprocesses", NULL, "not those", false},
	{ID_BLOCKING, "blocking", NULL, "stop each thread while it is read", false},
	{ID_NONBLOCKING, "nonblocking", NULL, "stop nothing (the default)", false},
	{ID_FULL_FILENAMES, "full-filenames", NULL, "do not shorten the names of files", false},
	{ID_FUNCTION, "function", NULL, "do not tell the lines of a function apart", false},
	{ID_VERBOSE, "verbose", NULL, "say more", false},
	{ID_QUIET, "quiet", NULL, "say nothing but errors", false},
};

static int check(const struct arguments *a)
{
	const struct options *r = &a->record;

	if ((a->sample.pid != 0) == (a->sample.command != NULL))
		return cli_wrong(&command_sample, "a process (-p PID) or a command is needed");
	if (a->sample.sampler.async && a->sample.sampler.native)
		return cli_wrong(&command_sample, "--async and --native do not go together");
	if (!r->data_file && (r->source.n || r->include.n || r->omit.n || r->pylib || r->append || r->rcfile))
		return cli_wrong(&command_sample,
				 "--source, --include, --omit, --pylib, --append and --rcfile need --data-file");
	return CLI_RUN;
}

/* Of the settings those hold that say which files are wanted, and how they are named. */
static int configure(struct arguments *a)
{
	static char *no_command[] = {(char *)"pycov-trace", NULL};
	int r;

	a->record.command = a->sample.command ? a->sample.command : no_command;
	r = options_configure(&a->record);
	a->sample.record = &a->record;
	a->sample.sampler.runs = true;
	return r;
}

static int run_with(struct arguments *a, int argc, char **argv)
{
	int operand, status, r;

	if (cli_is_over(cli_parse(&command_sample, a, argc, argv, &operand), &status))
		return status;
	a->sample.command = operand < argc ? argv + operand : NULL;
	if (check(a) != CLI_RUN)
		return CLI_EXIT_USAGE;
	log_set_level(a->sample.verbose > 0   ? LOG_LEVEL_DEBUG
		      : a->sample.verbose < 0 ? LOG_LEVEL_ERROR
					      : LOG_LEVEL_INFO);
	r = a->record.data_file ? configure(a) : 0;
	if (r != 0)
		return r == CLI_WRONG ? CLI_EXIT_USAGE : 1;
	return sample_run(&a->sample);
}

static int run(int argc, char **argv)
{
	struct arguments a = {
		.sample.sampler = {.rate = RATE_DEFAULT, .subprocesses = true},
	};
	int status = run_with(&a, argc, argv);

	options_deinit(&a.record);
	return status;
}

const struct cli_command command_sample = {
	.name = "sample",
	.operands = "-p PID | [--] COMMAND [ARG...]",
	.summary = "sample where the time goes, in a running process or in a command",
	.text = "\nReads the stacks of all threads so many times a second, from outside; nothing in the processes is changed.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.flags = CLI_STOP_AT_OPERAND,
	.apply = apply,
	.run = run,
};
