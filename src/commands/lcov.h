#pragma once

#include "cli/cli.h"

/** `pycov-trace lcov`: write a report that genhtml reads. */
extern const struct cli_command command_lcov;
