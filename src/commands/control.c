#include "commands/control.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "supervisor/control.h"

static bool is_pid(const char *text)
{
	for (; *text; text++)
		if (!isdigit((unsigned char)*text))
			return false;
	return true;
}

/* @pid is a process that is measured, or the supervisor itself. */
static int ask_by_pid(pid_t pid, const char *request, char answer[CONTROL_TEXT_MAX])
{
	char name[CONTROL_NAME_MAX];
	struct procfs_status status, tracer;
	int r, gone = procfs_status(pid, &status);

	/* A keeper listens by its supervisor's number, also when that was killed. */
	control_name_of_pid(pid, name);
	r = control_ask(name, gone < 0 ? geteuid() : status.uid[1], request, answer);
	if (r != -ECONNREFUSED)
		return r;
	if (gone < 0)
		return gone;
	if (!status.tracer || procfs_status(status.tracer, &tracer) < 0)
		return -ECONNREFUSED;
	control_name_of_pid(status.tracer, name);
	return control_ask(name, tracer.uid[1], request, answer);
}

static int ask_by_file(const char *path, const char *request, char answer[CONTROL_TEXT_MAX])
{
	_cleanup_datafile_ struct datafile file = {.dirfd = -1};
	char name[CONTROL_NAME_MAX];
	struct stat st;
	int r = datafile_init(&file, path);

	if (r == 0)
		r = control_name_of_file(&file, name);
	if (r < 0)
		return r;
	if (fstatat(file.dirfd, file.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		st.st_uid = geteuid();
	return control_ask(name, st.st_uid, request, answer);
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

/* What comes back is what was asked for, or why it was not done. */
static int run(const struct cli_command *command, int argc, char **argv, bool is_question)
{
	char answer[CONTROL_TEXT_MAX];
	int operand, r, status;

	if (cli_is_over(cli_parse(command, NULL, argc, argv, &operand), &status))
		return status;
	if (argc - operand != 1 || !*argv[operand]) {
		cli_wrong(command, "one process or data file is needed");
		return CLI_EXIT_USAGE;
	}
	argv += operand;
	r = is_pid(*argv) ? ask_by_pid((pid_t)strtol(*argv, NULL, 10), command->name, answer)
			  : ask_by_file(*argv, command->name, answer);
	if (r < 0)
		log_error("%s: %s", *argv, explain(r));
	else if (*answer && is_question)
		puts(answer);
	else if (*answer)
		log_error("%s", answer);
	return r < 0 || (*answer && !is_question);
}

static int run_save(int argc, char **argv)
{
	return run(&command_save, argc, argv, false);
}

static int run_reset(int argc, char **argv)
{
	return run(&command_reset, argc, argv, false);
}

static int run_status(int argc, char **argv)
{
	return run(&command_status, argc, argv, true);
}

#define WHICH "PID is a process that it measures, FILE its data file.\n"

const struct cli_command command_save = {
	.name = "save",
	.operands = "PID|FILE",
	.summary = "let a pycov-trace that is running write its data now",
	.text = "\nA pycov-trace that is running writes what it has now.\n" WHICH,
	.run = run_save,
};

const struct cli_command command_reset = {
	.name = "reset",
	.operands = "PID|FILE",
	.summary = "let a pycov-trace that is running forget what it has, and start afresh",
	.text = "\nA pycov-trace that is running forgets what it has recorded; lines that have run count again.\n" WHICH,
	.run = run_reset,
};

const struct cli_command command_status = {
	.name = "status",
	.operands = "PID|FILE",
	.summary = "ask a pycov-trace that is running what it has",
	.text = "\nSay how much a pycov-trace that is running has recorded.\n" WHICH,
	.run = run_status,
};
