/** `pycov-trace verify-layout`: where things are in a Python, and whether its debug information says so too. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_verify_layout;
