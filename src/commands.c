#include "commands.h"

#include "command_completion.h"
	&command_dump,
	&command_report,

#include "command_debug.h"
#include "command_dump.h"
#include "command_report.h"
#include "command_save.h"
const struct cli_command *const commands[] = {
	&command_save,
	&command_debug,
	&command_completion,
	NULL,
};
