/** `pycov-trace completion SHELL`: completions for bash, zsh or fish, on standard output. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_completion;
