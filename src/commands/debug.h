/** `pycov-trace debug`: what is in the configuration and data files. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_debug;
