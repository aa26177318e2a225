#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum option_id {
	OPT_CONTEXT = 256,
	OPT_DATA_FILE,
	OPT_INCLUDE,
	OPT_NO_FOLLOW,
	OPT_OMIT,
	OPT_PARALLEL_MODE,
	OPT_PROCESS_CONTEXTS,
	OPT_PYLIB,
	OPT_SAVE_EVERY,
	OPT_SAVE_SIGNAL,
	OPT_SOURCE,
	OPT_SYNC,
	OPT_VERSION,
	OPT_WAIT,
};

/* In the order of --help. An option without `argument` is a flag. */
static const struct option_row {
	int id; /* the short option, or an option_id */
	const char *name, *argument, *help;
} rows[] = {
	{OPT_DATA_FILE, "data-file", "FILE", "write the data to FILE (default: .coverage, or $COVERAGE_FILE)"},
	{OPT_SOURCE, "source", "SRC,...", "measure only code in these directories or packages"},
	{OPT_INCLUDE, "include", "PAT,...", "measure only files whose names match one of these patterns"},
	{OPT_OMIT, "omit", "PAT,...", "leave out files whose names match one of these patterns"},
	{OPT_PYLIB, "pylib", NULL, "measure the standard library and installed packages as well"},
	{'a', "append", NULL, "add to the data file instead of replacing it"},
	{OPT_PARALLEL_MODE, "parallel-mode", NULL, "one data file for each process, for `coverage combine`"},
	{OPT_CONTEXT, "context", "LABEL", "record the lines under this context"},
	{OPT_PROCESS_CONTEXTS, "process-contexts", NULL, "record each process's lines under its command line"},
	{OPT_SAVE_SIGNAL, "save-signal", "NAME", "write the data when a process of the tree gets this signal"},
	{OPT_SAVE_EVERY, "save-every", "SECONDS", "write the data so far again and again"},
	{OPT_WAIT, "wait", NULL, "end only when every process that was started has ended"},
	{OPT_NO_FOLLOW, "no-follow", NULL, "measure the first process alone"},
	{OPT_SYNC, "sync", NULL, "write the data to stable storage before going on"},
	{'v', "verbose", NULL, "one line for each process that is measured, and a summary"},
	{'q', "quiet", NULL, "say nothing but errors"},
	{'h', "help", NULL, "show this help"},
	{OPT_VERSION, "version", NULL, "show the version"},
};

static void print_help(void)
{
	puts("usage: pycov-trace [options] [--] command [argument...]\n"
	     "       pycov-trace save PID|FILE\n"
	     "\n"
	     "Run a command and record which lines of Python ran, in it and in every process it starts.\n"
	     "Nothing is installed, imported or configured in them. coverage.py reads the result.\n"
	     "save: a pycov-trace that is running writes what it has now; PID is a process that it\n"
	     "measures, FILE its data file.\n"
	     "\n"
	     "options:");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];
		int n = rows[i].id < 256 ? snprintf(text, sizeof(text), "-%c, ", rows[i].id)
					 : snprintf(text, sizeof(text), "    ");

		snprintf(text + n, sizeof(text) - (size_t)n, "--%s%s%s", rows[i].name, rows[i].argument ? "=" : "",
			 rows[i].argument ? rows[i].argument : "");
		printf("  %-26s %s\n", text, rows[i].help);
	}
	puts("\n"
	     "The exit status is the command's. 127: the command was not found, 126: it cannot be run,\n"
	     "2: an error in the options, 1: an error of pycov-trace's own.");
}

/* Levenshtein distance, for names of up to 31 characters. */
static int edit_distance(const char *a, size_t n, const char *b)
{
	int row[32];
	size_t m = strlen(b);

	if (m >= ARRAY_SIZE(row))
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

static bool is_known(int id)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].id == id)
			return true;
	return false;
}

static void complain_unknown(const char *arg)
{
	const char *name = arg + strspn(arg, "-"), *best = NULL;
	size_t n = strcspn(name, "=");
	int least = 99;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int d = n < 32 ? edit_distance(name, n, rows[i].name) : 99;

		if (d < least) {
			least = d;
			best = rows[i].name;
		}
	}
	if (best && least <= (int)n / 2 + 1)
		log_error("unknown option %.*s: did you mean --%s? See pycov-trace --help.", (int)(name + n - arg), arg,
			  best);
	else
		log_error("unknown option %.*s. See pycov-trace --help.", (int)(name + n - arg), arg);
}

static int list_add(struct string_list *list, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		char **items;

		if (n) {
			items = realloc(list->items, (list->n + 2) * sizeof(*items));
			if (!items)
				return -ENOMEM;
			list->items = items;
			items[list->n] = strndup(text, n);
			if (!items[list->n])
				return -ENOMEM;
			items[++list->n] = NULL;
		}
		text += n + (text[n] == ',');
	}
	return 0;
}

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
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.01) || seconds > 1000000)
		return -EINVAL;
	*ret = (int)(seconds * 1000);
	return 0;
}

static int replace(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static int apply(struct options *o, int id, const char *value)
{
	switch (id) {
	case OPT_DATA_FILE:
		if (!*value)
			return -EINVAL;
		return replace(&o->data_file, value);
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
	case 'a':
		o->append = true;
		return 0;
	case OPT_SOURCE:
		return list_add(&o->source, value);
	case OPT_INCLUDE:
		return list_add(&o->include, value);
	case OPT_OMIT:
		return list_add(&o->omit, value);
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

static void fill_getopt(struct option *table, char *shorts)
{
	*shorts++ = '+'; /* options end at the first word: the rest is the command's */
	*shorts++ = ':';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		table[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument, NULL,
					   rows[i].id};
		if (rows[i].id < 256) {
			*shorts++ = (char)rows[i].id;
			if (rows[i].argument)
				*shorts++ = ':';
		}
	}
	*shorts = 0;
}

static enum options_result wrong_value(int id, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].id == id)
			log_error("--%s: '%s' is not possible. See pycov-trace --help.", rows[i].name, value);
	return OPTIONS_WRONG;
}

static enum options_result wrong(const char *message, const char *arg)
{
	log_error("%s%s. See pycov-trace --help.", message, arg);
	return OPTIONS_WRONG;
}

static enum options_result set_defaults(struct options *o)
{
	const char *file = getenv("COVERAGE_FILE");

	if (!o->data_file)
		o->data_file = strdup(file && *file ? file : ".coverage");
	return o->data_file ? OPTIONS_RUN : wrong("out of memory", "");
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
	struct option table[ARRAY_SIZE(rows) + 1] = {0};
	char shorts[2 * ARRAY_SIZE(rows) + 3];
	int id;

	memset(o, 0, sizeof(*o));
	fill_getopt(table, shorts);
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;

		id = getopt_long(argc, argv, shorts, table, NULL);
		if (id < 0)
			break;
		if (id == '?') {
			if (is_known(optopt))
				return wrong("it takes no argument: ", argv[at]);
			complain_unknown(argv[at]);
			return OPTIONS_WRONG;
		}
		if (id == ':')
			return wrong("an argument is missing: ", argv[at]);
		if (id == 'h') {
			print_help();
			return OPTIONS_DONE;
		}
		if (id == OPT_VERSION) {
			puts("pycov-trace " PYCOV_TRACE_VERSION);
			return OPTIONS_DONE;
		}
		switch (apply(o, id, optarg)) {
		case 0:
			break;
		case -EINVAL:
			return wrong_value(id, optarg);
		default:
			return wrong("out of memory", "");
		}
	}
	if (o->append && o->parallel_mode)
		return wrong("can't append to data files in parallel mode", "");
	if (optind >= argc)
		return wrong("no command to run", "");
	o->command = argv + optind;
	return set_defaults(o);
}

static void list_deinit(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
}

void options_deinit(struct options *o)
{
	free(o->data_file);
	free(o->context);
	list_deinit(&o->source);
	list_deinit(&o->include);
	list_deinit(&o->omit);
}
