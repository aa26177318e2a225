#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define OPTIONS_MAX 64
#define ID_HELP 'h'
#define ID_VERSION 0x10000

/* Every command's own options, then these. */
static const struct cli_option common[] = {
	{ID_HELP, "help", NULL, "show this help", false},
	{ID_VERSION, "version", NULL, "show the version", false},
};

const struct cli_option *cli_option_at(const struct cli_command *command, size_t i)
{
	if (i < command->n_options)
		return &command->options[i];
	i -= command->n_options;
	return i < (command->name ? 1 : ARRAY_SIZE(common)) ? &common[i] : NULL;
}

static void print_options(const struct cli_command *c)
{
	const struct cli_option *o;

	puts("\noptions:");
	for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
		char text[64];
		int n = o->id < 256 ? snprintf(text, sizeof(text), "-%c, ", o->id)
				    : snprintf(text, sizeof(text), "    ");

		snprintf(text + n, sizeof(text) - (size_t)n, "--%s%s%s", o->name, o->argument ? "=" : "",
			 o->argument ? o->argument : "");
		printf("  %-26s %s\n", text, o->help);
	}
}

static void print_commands(const struct cli_command *const *list)
{
	puts("\ncommands (pycov-trace COMMAND --help tells more):");
	for (; *list; list++)
		printf("  %-26s %s\n", (*list)->name, (*list)->summary);
}

static void print_help(const struct cli_command *c)
{
	printf("usage: pycov-trace %s%s[options] %s\n", c->name ? c->name : "", c->name ? " " : "", c->operands);
	if (c->text)
		printf("%s", c->text);
	print_options(c);
	if (c->commands)
		print_commands(c->commands);
	if (c->epilog)
		printf("\n%s", c->epilog);
}

/* ---------------------------------------------------------------------------------------------------- the mistakes */

enum cli_result cli_wrong(const struct cli_command *command, const char *fmt, ...)
{
	char message[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	log_error("%s. See pycov-trace %s%s--help.", message, command->name ? command->name : "",
		  command->name ? " " : "");
	return CLI_WRONG;
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

static enum cli_result unknown_option(const struct cli_command *c, const char *arg)
{
	const char *name = arg + strspn(arg, "-"), *best = NULL;
	const struct cli_option *o;
	size_t n = strcspn(name, "=");
	int least = 99;

	for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
		int d = n < 32 ? edit_distance(name, n, o->name) : 99;

		if (d < least) {
			least = d;
			best = o->name;
		}
	}
	if (best && least <= (int)n / 2 + 1) {
		log_error("unknown option %.*s: did you mean --%s? See pycov-trace %s%s--help.", (int)(name + n - arg),
			  arg, best, c->name ? c->name : "", c->name ? " " : "");
		return CLI_WRONG;
	}
	return cli_wrong(c, "unknown option %.*s", (int)(name + n - arg), arg);
}

static const struct cli_option *find_row(const struct cli_command *c, int id)
{
	const struct cli_option *o;

	for (size_t i = 0; (o = cli_option_at(c, i)); i++)
		if (o->id == id)
			return o;
	return NULL;
}

/* ----------------------------------------------------------------------------------------------------- the parsing */

static void fill_getopt(const struct cli_command *c, struct option *table, char *shorts)
{
	const struct cli_option *o;

	if (c->flags & CLI_STOP_AT_OPERAND)
		*shorts++ = '+';
	*shorts++ = ':';
	for (size_t i = 0; i < OPTIONS_MAX && (o = cli_option_at(c, i)); i++) {
		table[i] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, o->id};
		if (o->id < 256) {
			*shorts++ = (char)o->id;
			if (o->argument)
				*shorts++ = ':';
		}
	}
	*shorts = 0;
}

static enum cli_result apply(const struct cli_command *c, void *arg, int id, const char *value)
{
	int r;

	if (id == ID_HELP) {
		print_help(c);
		return CLI_DONE;
	}
	if (id == ID_VERSION) {
		puts("pycov-trace " PYCOV_TRACE_VERSION);
		return CLI_DONE;
	}
	r = c->apply(arg, id, value);
	if (r == -EINVAL)
		return cli_wrong(c, "--%s: '%s' is not possible", find_row(c, id)->name, value ? value : "");
	return r < 0 ? cli_wrong(c, "out of memory") : CLI_RUN;
}

enum cli_result cli_parse(const struct cli_command *command, void *arg, int argc, char **argv, int *operand)
{
	struct option table[OPTIONS_MAX + 1] = {0};
	char shorts[2 * OPTIONS_MAX + 3];
	enum cli_result result;
	int id, at;

	fill_getopt(command, table, shorts);
	opterr = 0;
	optind = 0; /* start afresh */
	for (;;) {
		at = optind ? optind : 1;
		id = getopt_long(argc, argv, shorts, table, NULL);
		if (id < 0)
			break;
		if (id == '?')
			return optopt && find_row(command, optopt)
				       ? cli_wrong(command, "it takes no argument: %s", argv[at])
				       : unknown_option(command, argv[optind > at ? optind - 1 : at]);
		if (id == ':')
			return cli_wrong(command, "an argument is missing: %s", argv[optind - 1]);
		result = apply(command, arg, id, optarg);
		if (result != CLI_RUN)
			return result;
	}
	*operand = optind;
	return CLI_RUN;
}

int cli_parse_pid(const char *text, pid_t *ret)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || pid <= 0 || pid > INT32_MAX)
		return -EINVAL;
	*ret = (pid_t)pid;
	return 0;
}

int cli_parse_number(const char *text, double min, double max, double *ret)
{
	size_t digits = strspn(text, "0123456789"), more = 0;
	double number;

	if (text[digits] == '.')
		more = strspn(text + digits + 1, "0123456789") + 1;
	if (text[digits + more] || digits + more < (more ? 2 : 1))
		return -EINVAL;
	number = strtod(text, NULL);
	if (!(number >= min && number <= max))
		return -EINVAL;
	*ret = number;
	return 0;
}
