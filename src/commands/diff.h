/** `pycov-trace diff`: two runs compared, or a change and what ran of it. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_diff;
