/** `pycov-trace dump`: the stack of each thread, once. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_dump;
