/** The list of commands, NULL behind the last. A first word that is none of them is a command to run. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command *const commands[];
