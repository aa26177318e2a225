/** `pycov-trace repair PID`: take out of a program what a pycov-trace that was killed has left in it. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_repair;
