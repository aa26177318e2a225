/** `pycov-trace sample`: where the time goes, in a process that runs or in a command. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_sample;
