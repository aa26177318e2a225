#include "command_save.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "control.h"

#define EXIT_USAGE 2

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

int command_save(int argc, char **argv)
{
	char answer[CONTROL_TEXT_MAX];
	int r;

	if (argc != 2) {
		log_error("usage: pycov-trace save PID|FILE, a process that is measured or its data file");
		return EXIT_USAGE;
	}
	r = is_pid(argv[1]) ? ask_by_pid((pid_t)strtol(argv[1], NULL, 10), answer) : ask_by_file(argv[1], answer);
	if (r < 0)
		log_error("%s: %s", argv[1], explain(r));
	else if (*answer)
		log_error("%s", answer);
	return r < 0 || *answer;
}
