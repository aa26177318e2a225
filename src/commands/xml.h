#pragma once

#include "cli/cli.h"

/** `pycov-trace xml`: write an XML report that tools for Cobertura read. */
extern const struct cli_command command_xml;
