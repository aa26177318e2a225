/** `pycov-trace save PID|FILE`: a running pycov-trace writes what it has now. */
#pragma once

#include "cli.h"

extern const struct cli_command command_save;
