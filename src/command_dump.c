#include "command_dump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/utf8.h"
#include "refusal.h"
#include "sample/dump.h"

enum {
	ID_LOCALS = 'l',
	ID_JSON = 'j',
	ID_PID = 'p',
	ID_BLOCKING = 256,
	ID_NONBLOCKING,
};

struct arguments {
	long pid;
	struct dump_options options;
};

static int parse_pid(const char *text, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return *text && !*end && !errno && *ret > 0 && *ret <= INT32_MAX ? 0 : -EINVAL;
}

static int apply(void *arg, int id, const char *value)
{
	struct arguments *a = arg;

	switch (id) {
	case ID_PID:
		return parse_pid(value, &a->pid);
	case ID_LOCALS:
		a->options.locals = true;
		return 0;
	case ID_JSON:
		a->options.json = true;
		return 0;
	case ID_BLOCKING:
		a->options.blocking = true;
		return 0;
	case ID_NONBLOCKING:
		a->options.blocking = false;
		return 0;
	}
	return -EINVAL;
}

static const struct cli_option options[] = {
	{ID_PID, "pid", "PID", "the process (or give it as the operand)", false},
	{ID_LOCALS, "locals", NULL, "show the local variables of each frame", false},
	{ID_JSON, "json", NULL, "write JSON", false},
	{ID_BLOCKING, "blocking", NULL, "stop each thread while it is read", false},
	{ID_NONBLOCKING, "nonblocking", NULL, "stop nothing (the default)", false},
};

static int run(int argc, char **argv)
{
	struct arguments a = {0};
	struct refusal refusal;
	int operand, r;

	switch (cli_parse(&command_dump, &a, argc, argv, &operand)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return CLI_EXIT_USAGE;
	case CLI_RUN:
		break;
	}
	if (argc - operand > 1 || (a.pid != 0) == (argc - operand == 1) ||
	    (a.pid == 0 && parse_pid(argv[operand], &a.pid) < 0)) {
		cli_wrong(&command_dump, "one process id is needed");
		return CLI_EXIT_USAGE;
	}
	r = dump((pid_t)a.pid, &a.options, &refusal);
	if (r < 0)
		refusal_tell(&refusal);
	return r < 0;
}

const struct cli_command command_dump = {
	.name = "dump",
	.operands = "-p PID",
	.summary = "print the stack of each thread of a running Python, once",
	.text = "\nThe process is read from outside; nothing in it is changed.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = apply,
	.run = run,
};
