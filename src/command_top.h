#pragma once

#include "cli.h"

extern const struct cli_command command_top;
