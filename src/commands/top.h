#pragma once

#include "cli/cli.h"

extern const struct cli_command command_top;
