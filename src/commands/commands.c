#include "commands/commands.h"

#include "commands/combine.h"
#include "commands/completion.h"
#include "commands/control.h"
#include "commands/debug.h"
#include "commands/diff.h"
#include "commands/dump.h"
#include "commands/html.h"
#include "commands/json.h"
#include "commands/lcov.h"
#include "commands/repair.h"
#include "commands/report.h"
#include "commands/sample.h"
#include "commands/top.h"
#include "commands/verify_layout.h"
#include "commands/xml.h"

const struct cli_command *const commands[] = {
	&command_report,
	&command_html,
	&command_xml,
	&command_json,
	&command_lcov,
	&command_sample,
	&command_top,
	&command_diff,
	&command_dump,
	&command_save,
	&command_combine,
	&command_reset,
	&command_status,
	&command_verify_layout,
	&command_repair,
	&command_debug,
	&command_erase,
	&command_completion,
	NULL,
};
