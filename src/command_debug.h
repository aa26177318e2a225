/** `pycov-trace debug`: what is found in the configuration files. */
#pragma once

#include "cli.h"

extern const struct cli_command command_debug;
