#include "cli/options.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/commands.h"

#define RATE_DEFAULT 100
#define RATE_MAX 10000

enum option_id {
	OPT_BRANCH = 256,
	OPT_CONTEXT,
	OPT_DATA_FILE,
	OPT_DEBUG,
	OPT_DURATION,
	OPT_EXACT,
	OPT_INCLUDE,
	OPT_NO_FOLLOW,
	OPT_OMIT,
	OPT_PARALLEL_MODE,
	OPT_PROCESS_CONTEXTS,
	OPT_PYLIB,
	OPT_RATE,
	OPT_RCFILE,
	OPT_SAMPLE,
	OPT_SAVE_EVERY,
	OPT_SAVE_SIGNAL,
	OPT_SOURCE,
	OPT_SYNC,
	OPT_WAIT,
	OPT_WITH_CHILDREN,
};

static const struct cli_option rows[] = {
	{'p', "pid", "PID", "attach to this process, and leave it as it was when we end (repeatable)", false},
	{OPT_WITH_CHILDREN, "with-children", NULL, "with --pid: and to the processes that descend from it already",
	 false},
	{'d', "duration", "SECONDS", "with --pid: end after this time", false},
	{OPT_DATA_FILE, "data-file", "FILE", "write the data to FILE (default: .coverage, or $COVERAGE_FILE)", true},
	{OPT_SOURCE, "source", "SRC,...", "measure only code in these directories or packages", false},
	{OPT_INCLUDE, "include", "PAT,...", "measure only files whose names match one of these patterns", false},
	{OPT_OMIT, "omit", "PAT,...", "leave out files whose names match one of these patterns", false},
	{OPT_PYLIB, "pylib", NULL, "measure the standard library and installed packages as well", false},
	{OPT_BRANCH, "branch", NULL, "record which ways branches took as well", false},
	{'a', "append", NULL, "add to the data file instead of replacing it", false},
	{OPT_PARALLEL_MODE, "parallel-mode", NULL, "one data file for each process, for `coverage combine`", false},
	{OPT_CONTEXT, "context", "LABEL", "record the lines under this context", false},
	{OPT_PROCESS_CONTEXTS, "process-contexts", NULL, "record each process's lines under its command line", false},
	{OPT_SAVE_SIGNAL, "save-signal", "NAME", "write the data when a process of the tree gets this signal", false},
	{OPT_SAVE_EVERY, "save-every", "SECONDS", "write the data so far again and again", false},
	{OPT_WAIT, "wait", NULL, "end only when every process that was started has ended", false},
	{OPT_NO_FOLLOW, "no-follow", NULL, "measure the first process alone", false},
	{OPT_SYNC, "sync", NULL, "write the data to stable storage before going on", false},
	{OPT_SAMPLE, "sample", NULL, "sample instead, see `pycov-trace sample --help`; with --exact, do both", false},
	{OPT_EXACT, "exact", NULL, "with --sample: record which lines ran, and which of them are running how often",
	 false},
	{OPT_RATE, "rate", "N", "with --exact --sample: samples per second (default: 100)", false},
	{'o', "output", "FILE", "with --exact --sample: write a profile there as well, of stacks", true},
	{'f', "format", "NAME", "with --output: folded, flamegraph, speedscope, pprof, gecko or table (table)", false},
	{OPT_RCFILE, "rcfile", "FILE", "read settings from FILE (default: .coveragerc, setup.cfg, ...; '': none)",
	 true},
	{OPT_DEBUG, "debug", "TOPIC,...", "say which files are measured, and why not (trace), or show config, data",
	 false},
	{'v', "verbose", NULL, "one line for each process that is measured, and a summary", false},
	{'q', "quiet", NULL, "say nothing but errors", false},
};

/* "USR1", "SIGUSR1" or "10"; one that can be caught. */
static int parse_signal(const char *text, int *ret)
{
	char *end;
	int n = (int)strtol(text, &end, 10);

	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (int sig = 1; *end && sig < NSIG; sig++)
		if (sigabbrev_np(sig) && !strcasecmp(text, sigabbrev_np(sig)))
			n = sig, end = "";
	if (*end || n <= 0 || n >= NSIG || n == SIGKILL || n == SIGSTOP)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int parse_seconds(const char *text, int *ret)
{
	double seconds;

	if (cli_parse_number(text, 0.01, 1000000, &seconds) < 0)
		return -EINVAL;
	*ret = (int)(seconds * 1000);
	return 0;
}

static int parse_rate(const char *text, unsigned int *ret)
{
	char *end;
	unsigned long rate = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || rate < 1 || rate > RATE_MAX)
		return -EINVAL;
	*ret = (unsigned int)rate;
	return 0;
}

static int add_pid(struct pid_list *list, const char *value)
{
	pid_t *items, pid;

	if (cli_parse_pid(value, &pid) < 0)
		return -EINVAL;
	items = realloc(list->items, (list->n + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n++] = pid;
	return 0;
}

static int replace(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

/* Who writes it has another working directory. */
static int set_output(struct options *o, const char *value)
{
	_cleanup_free_ char *cwd = *value == '/' ? NULL : get_current_dir_name();

	free(o->output);
	o->output = NULL;
	if (!*value || !strcmp(value, "-"))
		return -EINVAL;
	if (*value == '/')
		return replace(&o->output, value);
	return !cwd || asprintf(&o->output, "%s/%s", cwd, value) < 0 ? -ENOMEM : 0;
}

static int apply(void *arg, int id, const char *value)
{
	struct options *o = arg;

	switch (id) {
	case OPT_DATA_FILE:
		if (!*value)
			return -EINVAL;
		return replace(&o->data_file, value);
	case 'p':
		return add_pid(&o->pids, value);
	case OPT_WITH_CHILDREN:
		o->with_children = true;
		return 0;
	case 'd':
		return parse_seconds(value, &o->duration);
	case OPT_DEBUG:
		return string_list_add(&o->debug, value);
	case OPT_RCFILE:
		return replace(&o->rcfile, value);
	case OPT_SAMPLE:
		o->sample = true;
		return 0;
	case OPT_EXACT:
		o->exact = true;
		return 0;
	case OPT_RATE:
		return parse_rate(value, &o->rate);
	case 'f':
		o->format = profile_format_find(value);
		return o->format ? 0 : -EINVAL;
	case 'o':
		return set_output(o, value);
	case OPT_CONTEXT:
		return replace(&o->context, value);
	case OPT_SAVE_SIGNAL:
		return parse_signal(value, &o->save_signal);
	case OPT_SAVE_EVERY:
		return parse_seconds(value, &o->save_every);
	case OPT_PARALLEL_MODE:
		o->parallel_mode = true;
		return 0;
	case OPT_PROCESS_CONTEXTS:
		o->process_contexts = true;
		return 0;
	case OPT_WAIT:
		o->wait = true;
		return 0;
	case OPT_NO_FOLLOW:
		o->no_follow = true;
		return 0;
	case OPT_BRANCH:
		o->branch = true;
		return 0;
	case 'a':
		o->append = true;
		return 0;
	case OPT_SOURCE:
		return string_list_add(&o->source, value);
	case OPT_INCLUDE:
		return string_list_add(&o->include, value);
	case OPT_OMIT:
		return string_list_add(&o->omit, value);
	case OPT_PYLIB:
		o->pylib = true;
		return 0;
	case OPT_SYNC:
		o->sync = true;
		return 0;
	case 'v':
		o->verbose = 1;
		return 0;
	case 'q':
		o->verbose = -1;
		return 0;
	default:
		return -EINVAL;
	}
}

const struct cli_command main_command = {
	.operands = "[--] command [argument...]",
	.text = "       pycov-trace [options] --pid=PID\n"
		"       pycov-trace COMMAND [options] ...\n"
		"\n"
		"Run a command and record which lines of Python ran, in it and in every process it starts.\n"
		"Nothing is installed, imported or configured in them. coverage.py reads the result.\n",
	.epilog =
		"The exit status is the command's. 127: the command was not found, 126: it cannot be run,\n"
		"2: an error in the options, 1: an error of pycov-trace's own.\n",
	.options = rows,
	.n_options = ARRAY_SIZE(rows),
	.commands = commands,
	.flags = CLI_STOP_AT_OPERAND,
	.apply = apply,
};

enum cli_result options_parse(struct options *o, int argc, char **argv)
{
	enum cli_result result;
	int operand;

	memset(o, 0, sizeof(*o));
	result = cli_parse(&main_command, o, argc, argv, &operand);
	if (result != CLI_RUN)
		return result;
	if (o->append && o->parallel_mode)
		return cli_wrong(&main_command, "can't append to data files in parallel mode");
	if (o->sample && !o->exact)
		return cli_wrong(&main_command,
				 "--sample is the first option where it stands alone; with --exact it does both");
	if ((o->rate || o->output) && !o->sample)
		return cli_wrong(&main_command, "--rate and --output need --exact --sample");
	if (o->format && !o->output)
		return cli_wrong(&main_command, "--format needs --output, with --exact --sample");
	if (o->output && !o->format)
		o->format = profile_format_find("table");
	o->rate = o->rate ? o->rate : RATE_DEFAULT;
	o->command = argv + operand;
	if (o->pids.n && *o->command)
		return cli_wrong(&main_command, "a command and --pid do not go together");
	if (!o->pids.n && (o->with_children || o->duration))
		return cli_wrong(&main_command, "--with-children and --duration need --pid");
	return CLI_RUN;
}

/* The interpreter that a shell would start for "python". */
static const char *default_python(void)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *copy = strdup(path ? path : "/bin:/usr/bin"), *full = NULL;
	char *rest = copy;

	for (const char *dir; copy && (dir = strsep(&rest, ":"));) {
		free(full);
		if (asprintf(&full, "%s/python", *dir ? dir : ".") < 0)
			full = NULL;
		if (full && access(full, X_OK) == 0)
			return "python";
	}
	return "python3";
}

/* In coverage.py the words are what stands behind `python`: a script, a directory, or -m and a module. */
static int take_command_line(struct options *o)
{
	struct string_list words = {0};
	int r = string_list_push(&o->words, default_python());

	if (r == 0)
		r = config_split_words(o->config.run.command_line, &words);
	if (r == -EINVAL)
		log_error("%s: [run] command_line: a quote or backslash is left open", o->config.file);
	for (size_t i = 0; i < words.n && r == 0; i++)
		r = string_list_push(&o->words, words.items[i]);
	if (r == 0 && words.n)
		o->command = o->words.items;
	string_list_deinit(&words);
	return r;
}

static void take_list(struct string_list *option, struct string_list *setting)
{
	if (option->n)
		return;
	*option = *setting;
	*setting = (struct string_list){0};
}

static void take_text(char **option, char **setting)
{
	if (!*option)
		*option = take_ptr(*setting);
}

static int take_settings(struct options *o)
{
	struct config_run *run = &o->config.run;

	take_text(&o->data_file, &run->data_file);
	take_text(&o->context, &run->context);
	take_list(&o->source, &run->source);
	take_list(&o->include, &run->include);
	take_list(&o->omit, &run->omit);
	take_list(&o->debug, &run->debug);
	o->branch |= run->branch;
	o->pylib |= run->cover_pylib;
	o->parallel_mode |= run->parallel;
	if (o->append && o->parallel_mode)
		return (int)cli_wrong(&main_command, "can't append to data files in parallel mode");
	return !*o->command && run->command_line ? take_command_line(o) : 0;
}

int options_configure(struct options *o)
{
	char why[512];
	int r = config_read(&o->config, o->rcfile, why, sizeof(why));

	if (r < 0) {
		log_error("%s", why);
		return r;
	}
	config_warn_unused(&o->config);
	if (string_list_has(o->debug.n ? &o->debug : &o->config.run.debug, "config"))
		config_print(&o->config, stderr);
	r = o->output ? profile_output_check(o->output) : 0;
	if (r < 0) {
		log_error("cannot write %s: %s", o->output, strerror(-r));
		return r;
	}
	r = take_settings(o);
	if (r != 0)
		return r;
	return *o->command || o->pids.n ? 0 : (int)cli_wrong(&main_command, "no command to run");
}

bool options_debug(const struct options *o, const char *topic)
{
	return string_list_has(&o->debug, topic);
}

void options_deinit(struct options *o)
{
	free(o->data_file);
	free(o->output);
	free(o->pids.items);
	free(o->context);
	string_list_deinit(&o->source);
	string_list_deinit(&o->include);
	string_list_deinit(&o->omit);
	string_list_deinit(&o->debug);
	string_list_deinit(&o->words);
	free(o->rcfile);
	config_deinit(&o->config);
}
