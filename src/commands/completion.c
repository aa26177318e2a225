#include "commands/completion.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/completion.h"
#include "cli/options.h"

static int write_completion(completion_fn write)
{
	write(stdout, &main_command);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	log_error("standard output: %s", strerror(errno));
	return 1;
}

static int run(int argc, char **argv)
{
	completion_fn write;
	int operand, status;

	if (cli_is_over(cli_parse(&command_completion, NULL, argc, argv, &operand), &status))
		return status;
	write = argc - operand == 1 ? completion_find(argv[operand]) : NULL;
	if (write)
		return write_completion(write);
	cli_wrong(&command_completion, "one of bash, zsh and fish is needed");
	return CLI_EXIT_USAGE;
}

const struct cli_command command_completion = {
	.name = "completion",
	.operands = "bash|zsh|fish",
	.summary = "write completions of the command line for a shell",
	.text = "\nWrite a script that completes the options and commands of pycov-trace:\n"
		"  bash   eval \"$(pycov-trace completion bash)\" in ~/.bashrc\n"
		"  zsh    pycov-trace completion zsh >~/.zfunc/_pycov-trace, with ~/.zfunc in fpath\n"
		"  fish   pycov-trace completion fish >~/.config/fish/completions/pycov-trace.fish\n",
	.run = run,
};
