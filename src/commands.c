#include "commands.h"

#include "command_completion.h"
#include "command_debug.h"
#include "command_dump.h"
#include "command_save.h"

const struct cli_command *const commands[] = {
	&command_dump,
	&command_save,
	&command_debug,
	&command_completion,
	NULL,
};
