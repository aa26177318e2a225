/** `pycov-trace html`: a folder of pages to look at. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command command_html;
