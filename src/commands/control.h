/** `pycov-trace save|reset|status PID|FILE`: a word with a pycov-trace that is running. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_save, command_reset, command_status;
