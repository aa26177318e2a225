#include "command_repair.h"

#include <stdint.h>
#include <stdlib.h>

#include "repair.h"

static int run(int argc, char **argv)
{
	char *end = NULL;
	int operand;
	long pid;

	switch (cli_parse(&command_repair, NULL, argc, argv, &operand)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return CLI_EXIT_USAGE;
	case CLI_RUN:
		break;
	}
	pid = argc - operand == 1 ? strtol(argv[operand], &end, 10) : 0;
	if (pid <= 0 || pid > INT32_MAX || *end) {
		cli_wrong(&command_repair, "the id of a process is needed");
		return CLI_EXIT_USAGE;
	}
	return repair((pid_t)pid);
}

const struct cli_command command_repair = {
	.name = "repair",
	.operands = "PID",
	.summary = "take out of a program what a pycov-trace that was killed has left",
	.text = "\nStop recording in a program to which a pycov-trace was attached that was killed, and leave the program\n"
		"as it was before. What was recorded is written by the keeper that the killed one has left.\n",
	.run = run,
};
