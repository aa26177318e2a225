#include "commands.h"

#include "command_combine.h"
#include "command_completion.h"
#include "command_control.h"
#include "command_debug.h"
#include "command_diff.h"
#include "command_dump.h"
#include "command_html.h"
#include "command_json.h"
#include "command_lcov.h"
#include "command_repair.h"
#include "command_report.h"
#include "command_sample.h"
#include "command_top.h"
#include "command_verify_layout.h"
#include "command_xml.h"

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
