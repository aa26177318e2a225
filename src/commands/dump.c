#include "commands/dump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/utf8.h"
#include "sample/dump.h"
#include "supervisor/refusal.h"

enum {
	ID_LOCALS = 'l',
	ID_JSON = 'j',
	ID_PID = 'p',
	ID_BLOCKING = 256,
	ID_NONBLOCKING,
	ID_ASYNC,
};

struct arguments {
	pid_t pid;
	struct dump_options options;
};

static int apply(void *arg, int id, const char *value)
{
	struct arguments *a = arg;

	switch (id) {
	case ID_PID:
		return cli_parse_pid(value, &a->pid);
	case ID_LOCALS:
		a->options.locals = true;
		return 0;
	case ID_JSON:
		a->options.json = true;
		return 0;
	case ID_ASYNC:
		a->options.async = true;
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
	{ID_ASYNC, "async", NULL, "show the tasks of asyncio, too, and what each waits for", false},
	{ID_JSON, "json", NULL, "write JSON", false},
	{ID_BLOCKING, "blocking", NULL, "stop each thread while it is read", false},
	{ID_NONBLOCKING, "nonblocking", NULL, "stop nothing (the default)", false},
};

static int run(int argc, char **argv)
{
	struct arguments a = {0};
	struct refusal refusal;
	int operand, r, status;

	if (cli_is_over(cli_parse(&command_dump, &a, argc, argv, &operand), &status))
		return status;
	if (argc - operand > 1 || (a.pid != 0) == (argc - operand == 1) ||
	    (a.pid == 0 && cli_parse_pid(argv[operand], &a.pid) < 0)) {
		cli_wrong(&command_dump, "one process id is needed");
		return CLI_EXIT_USAGE;
	}
	r = dump(a.pid, &a.options, &refusal);
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
