/**
 * Command lines. Each command has one table of options, from which the parsing, --help, the messages and the shell
 * completions come. Every command has -h/--help; the main one has --version as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

/** An option without `argument` is a flag. `id` is the short option's letter, or at least 256 and its own. */
struct cli_option {
	int id;
	const char *name, *argument, *help;
	bool is_file; /* the argument is a file name: for completions */
};

enum {
	CLI_NO_COMPLETION = 1 << 0,
	CLI_STOP_AT_OPERAND = 1 << 1, /* options end at the first operand: the rest is another command's */
};

struct cli_command {
	const char *name;     /* NULL: of the program itself */
	const char *operands; /* for the usage line: "PID|FILE", "[FILE...]" */
	const char *summary;  /* one line, for the list of commands */
	const char *text;     /* for --help, may be NULL */
	const char *epilog;   /* the end of --help, may be NULL */
	const struct cli_option *options;
	size_t n_options;
	const struct cli_command *const *commands; /* of the main one: the others, NULL behind the last */
	int flags;
	/** 0; -EINVAL: the value is not possible; other errors: out of memory. @p value is NULL for a flag. */
	int (*apply)(void *arg, int id, const char *value);
	/** Run it: the exit status. argv[0] is the command's name. */
	int (*run)(int argc, char **argv);
};

/** The exit status of a usage error. */
#define CLI_EXIT_USAGE 2

enum cli_result {
	CLI_RUN,
	CLI_DONE,  /* --help or --version was answered: exit with 0 */
	CLI_WRONG, /* said on stderr: exit with CLI_EXIT_USAGE */
};

/** Apply the options. @p *operand is the index of the first operand; operands are moved behind the options. */
enum cli_result cli_parse(const struct cli_command *command, void *arg, int argc, char **argv, int *operand) must_check;

/** True if that result of cli_parse() ends the command, with *@p status. Else *@p status stays. */
static inline bool cli_is_over(enum cli_result result, int *status)
{
	if (result != CLI_RUN)
		*status = result == CLI_DONE ? 0 : CLI_EXIT_USAGE;
	return result != CLI_RUN;
}

/** A process id, the whole of @p text. -EINVAL. */
int cli_parse_pid(const char *text, pid_t *ret) must_check;

/** The whole of @p text as a decimal number: digits, and a point perhaps. -EINVAL: it is none, or not within the bounds. */
int cli_parse_number(const char *text, double min, double max, double *ret) must_check;

/** Say what is wrong with the command line: "MESSAGE. See pycov-trace COMMAND --help." */
enum cli_result cli_wrong(const struct cli_command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Option @p i of a command, in the order of --help and with those that every command has; NULL behind the last. */
const struct cli_option *cli_option_at(const struct cli_command *command, size_t i);
