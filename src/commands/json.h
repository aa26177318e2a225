#pragma once

#include "cli/cli.h"

/** `pycov-trace json`: write a JSON report, as coverage.py's (format 3). */
extern const struct cli_command command_json;
