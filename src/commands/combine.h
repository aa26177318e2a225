/** `pycov-trace combine`: several data files made one. `pycov-trace erase`: the data files removed. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_combine, command_erase;
