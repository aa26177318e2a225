/** Shell completions, from the tables of options (cli/cli.h). */
#pragma once

#include <stdio.h>

#include "cli/cli.h"

/** Write the script that completes the program whose main command @p program is. */
typedef void (*completion_fn)(FILE *out, const struct cli_command *program);

/** For "bash", "zsh" or "fish"; NULL for others. */
completion_fn completion_find(const char *shell);
