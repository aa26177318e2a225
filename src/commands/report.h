#pragma once

#include "cli/cli.h"

/** `pycov-trace report`: the table on the terminal. */
extern const struct cli_command command_report;
