#include "commands/top.h"

#include <errno.h>

#include "sample/top.h"

#define RATE_DEFAULT 100
#define RATE_MAX 1000000

enum {
	ID_PID = 'p',
	ID_RATE = 'r',
	ID_INTERVAL = 'd',
	ID_LINES = 'l',
	ID_GIL = 'g',
	ID_IDLE = 'i',
	ID_SUBPROCESSES = 's',
	ID_NO_SUBPROCESSES = 256,
	ID_BLOCKING,
	ID_NONBLOCKING,
};

static int parse_rate(const char *text, unsigned int *ret)
{
	double number;
	int r = cli_parse_number(text, 1, RATE_MAX, &number);

	*ret = r < 0 ? 0 : (unsigned int)number;
	return r;
}

static int apply(void *arg, int id, const char *value)
{
	struct top_options *o = arg;

	switch (id) {
	case ID_PID:
		return cli_parse_pid(value, &o->pid);
	case ID_RATE:
		return parse_rate(value, &o->sampler.rate);
	case ID_INTERVAL:
		return cli_parse_number(value, 0.1, 3600, &o->interval);
	case ID_LINES:
		o->lines = true;
		return 0;
	case ID_GIL:
		o->sampler.gil = true;
		return 0;
	case ID_IDLE:
		o->sampler.idle = true;
		return 0;
	case ID_SUBPROCESSES:
	case ID_NO_SUBPROCESSES:
		o->sampler.subprocesses = id == ID_SUBPROCESSES;
		return 0;
	case ID_BLOCKING:
	case ID_NONBLOCKING:
		o->sampler.blocking = id == ID_BLOCKING;
		return 0;
	}
	return -EINVAL;
}

static const struct cli_option options[] = {
	{ID_PID, "pid", "PID", "the process (or give it as the operand)", false},
	{ID_RATE, "rate", "N", "samples per second (100)", false},
	{ID_INTERVAL, "delay", "SECONDS", "time between two screens (1)", false},
	{ID_LINES, "lines", NULL, "begin with lines, not with functions", false},
	{ID_GIL, "gil", NULL, "only threads that hold the GIL", false},
	{ID_IDLE, "idle", NULL, "also threads that wait", false},
	{ID_SUBPROCESSES, "subprocesses", NULL, "also the processes that it starts (the default)", false},
	{ID_NO_SUBPROCESSES, "no-subprocesses", NULL, "not those", false},
	{ID_BLOCKING, "blocking", NULL, "stop each thread while it is read", false},
	{ID_NONBLOCKING, "nonblocking", NULL, "stop nothing (the default)", false},
};

static int run(int argc, char **argv)
{
	struct top_options o = {.interval = 1, .sampler = {.rate = RATE_DEFAULT, .subprocesses = true}};
	int operand, status;

	if (cli_is_over(cli_parse(&command_top, &o, argc, argv, &operand), &status))
		return status;
	if (argc - operand > 1 || (o.pid != 0) == (argc - operand == 1) ||
	    (o.pid == 0 && cli_parse_pid(argv[operand], &o.pid) < 0)) {
		cli_wrong(&command_top, "one process id is needed");
		return CLI_EXIT_USAGE;
	}
	return top_run(&o);
}

const struct cli_command command_top = {
	.name = "top",
	.operands = "-p PID",
	.summary = "watch live where the time goes in a running Python",
	.text = "\nThe process is read from outside; nothing in it is changed. Press ? for the keys.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = apply,
	.run = run,
};
