#include "command_debug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config.h"

enum { OPT_RCFILE = 256 };

static const struct cli_option rows[] = {
	{OPT_RCFILE, "rcfile", "FILE", "read the settings from FILE (default: .coveragerc, setup.cfg, ...)", true},
};

struct debug_options {
	const char *rcfile;
};

static int apply(void *arg, int id, const char *value)
{
	((struct debug_options *)arg)->rcfile = value;
	return id == OPT_RCFILE ? 0 : -EINVAL;
}

static int show_config(const struct debug_options *o)
{
	_cleanup_config_ struct config config;
	char why[512];
	int r = config_read(&config, o->rcfile, why, sizeof(why));

	if (r < 0) {
		log_error("%s", why);
		return 1;
	}
	config_print(&config, stdout);
	return 0;
}

static int run(int argc, char **argv)
{
	struct debug_options o = {0};
	int operand;

	switch (cli_parse(&command_debug, &o, argc, argv, &operand)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return CLI_EXIT_USAGE;
	case CLI_RUN:
		break;
	}
	if (argc - operand == 1 && !strcmp(argv[operand], "config"))
		return show_config(&o);
	cli_wrong(&command_debug, "what to show is needed: config");
	return CLI_EXIT_USAGE;
}

const struct cli_command command_debug = {
	.name = "debug",
	.operands = "config",
	.summary = "show the settings that are in force",
	.text = "\nShow all settings, from the configuration file and the environment, and where they come from.\n",
	.options = rows,
	.n_options = ARRAY_SIZE(rows),
	.apply = apply,
	.run = run,
};
