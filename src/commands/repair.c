#include "commands/repair.h"

#include "supervisor/repair.h"

static int run(int argc, char **argv)
{
	int operand, status;
	pid_t pid;

	if (cli_is_over(cli_parse(&command_repair, NULL, argc, argv, &operand), &status))
		return status;
	if (argc - operand != 1 || cli_parse_pid(argv[operand], &pid) < 0) {
		cli_wrong(&command_repair, "the id of a process is needed");
		return CLI_EXIT_USAGE;
	}
	return repair(pid);
}

const struct cli_command command_repair = {
	.name = "repair",
	.operands = "PID",
	.summary = "take out of a program what a pycov-trace that was killed has left",
	.text = "\nStop recording in a program to which a pycov-trace was attached that was killed, and leave the program\n"
		"as it was before. What was recorded is written by the keeper that the killed one has left.\n",
	.run = run,
};
