#include "command_save.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "control.h"

static bool is_pid(const char *text)
{
	for (; *text; text++)
		if (!isdigit((unsigned char)*text))
			return false;
	return true;
}

/* @pid is a process that is measured, or the supervisor itself. */
static int ask_by_pid(pid_t pid, char answer[CONTROL_TEXT_MAX])
{
	char name[CONTROL_NAME_MAX];
	struct procfs_status status;
	int r;

	control_name_of_pid(pid, name);
	r = control_ask(name, "save", answer);
	if (r != -ECONNREFUSED)
		return r;
	r = procfs_status(pid, &status);
	if (r < 0)
		return r;
	control_name_of_pid(status.tracer, name);
	return control_ask(name, "save", answer);
}

static int ask_by_file(const char *path, char answer[CONTROL_TEXT_MAX])
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	char name[CONTROL_NAME_MAX];
	int r = datafile_init(&file, path);

	if (r == 0)
		r = control_name_of_file(&file, name);
	return r < 0 ? r : control_ask(name, "save", answer);
}

static const char *explain(int error)
{
	switch (error) {
	case -ESRCH:
		return "no such process";
	case -ECONNREFUSED:
		return "no pycov-trace measures it";
	case -EPERM:
		return "its pycov-trace belongs to another user";
	default:
		return strerror(-error);
	}
}

static int run(int argc, char **argv)
{
	char answer[CONTROL_TEXT_MAX];
	int operand, r;

	switch (cli_parse(&command_save, NULL, argc, argv, &operand)) {
	case CLI_DONE:
		return 0;
	case CLI_WRONG:
		return CLI_EXIT_USAGE;
	case CLI_RUN:
		break;
	}
	if (argc - operand != 1 || !*argv[operand]) {
		cli_wrong(&command_save, "one process or data file is needed");
		return CLI_EXIT_USAGE;
	}
	argv += operand;
	r = is_pid(*argv) ? ask_by_pid((pid_t)strtol(*argv, NULL, 10), answer) : ask_by_file(*argv, answer);
	if (r < 0)
		log_error("%s: %s", *argv, explain(r));
	else if (*answer)
		log_error("%s", answer);
	return r < 0 || *answer;
}

const struct cli_command command_save = {
	.name = "save",
	.operands = "PID|FILE",
	.summary = "let a pycov-trace that is running write its data now",
	.text = "\nA pycov-trace that is running writes what it has now. PID is a process that it measures,\n"
		"FILE its data file.\n",
	.run = run,
};
