#include "commands/verify_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sample/access.h"
#include "supervisor/refusal.h"
#include "symbols/elf_image.h"
#include "symbols/layout_dwarf.h"

struct arguments {
	pid_t pid;
	bool verbose;
};

static int apply(void *arg, int id, const char *value)
{
	struct arguments *a = arg;

	if (id == 'v') {
		a->verbose = true;
		return 0;
	}
	return cli_parse_pid(value, &a->pid);
}

static const struct cli_option options[] = {
	{'p', "pid", "PID", "the Python in this process, instead of in a file", false},
	{'v', "verbose", NULL, "show what agrees, too", false},
};

static void show(void *arg, const struct layout_check *check)
{
	const struct arguments *a = arg;

	if (check->found == LAYOUT_ABSENT)
		printf("  %-28s %6d  not in the debug information\n", check->name, check->expected);
	else if (check->found != check->expected)
		printf("  %-28s %6d  WRONG: it is %d\n", check->name, check->expected, check->found);
	else if (a->verbose)
		printf("  %-28s %6d\n", check->name, check->expected);
}

/* 0: nothing is wrong. */
static int compare(int fd, const char *root, const char *path, const struct cpython *py, struct arguments *a)
{
	_cleanup_close_ int debug = -1;
	char found[DEBUG_FILE_PATH_SIZE];
	struct layout_dwarf_result result;
	int r;

	debug = debug_file_open(fd, root, path, found);
	if (debug < 0) {
		printf("debug information: none found (in the file, by its build id below /usr/lib/debug, by its "
		       ".gnu_debuglink)\n");
		return 0;
	}
	printf("debug information: %s\n", found);
	r = layout_dwarf_check(debug, &py->layout, show, a, &result);
	if (r < 0) {
		log_error("%s: no structs of CPython in it: %s", found, strerror(-r));
		return r;
	}
	printf("compared: %u right, %u wrong, %u not to be found\n", result.right, result.wrong, result.missing);
	return result.wrong ? -EBADMSG : 0;
}

static int verify_file(int fd, const char *root, const char *path, struct arguments *a)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	char version[CPYTHON_VERSION_SIZE];
	const char *reason = NULL;
	struct cpython py;
	int r = elf_image_new(fd, &image, &reason);

	if (r == 0)
		r = cpython_load(image, &py, &reason);
	if (r < 0) {
		log_error("%s: %s", path, reason ? reason : r == -ENOENT ? "there is no Python in it" : strerror(-r));
		return r;
	}
	printf("Python %s in %s, _PyRuntime at 0x%llx\n", cpython_version_format(py.hexversion, version), path,
	       (unsigned long long)py.runtime);
	printf("layout: the row of 3.%u%s\n", py.layout.minor,
	       py.layout.has_debug_offsets ? ", corrected by its own _Py_DebugOffsets"
					   : "; the sizes of its types agree with it");
	return compare(fd, root, path, &py, a);
}

static bool same_directory(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

static int verify_process(struct arguments *a)
{
	_cleanup_(runtimes_deinit) struct runtimes runtimes;
	_cleanup_target_ struct target *target = NULL;
	_cleanup_close_ int fd = -1;
	struct refusal refusal;
	char root[64], path[PATH_MAX + 64];
	const char *name;
	int r;

	runtimes_init(&runtimes);
	r = access_target(&runtimes, a->pid, false, &target, &refusal);
	if (r < 0) {
		refusal_tell(&refusal);
		return r;
	}
	printf("process %d: _PyRuntime at 0x%llx, the file at 0x%llx\n", a->pid,
	       (unsigned long long)target->runtime.python.addr, (unsigned long long)target->runtime.bias);
	name = target->runtime.path ? target->runtime.path : "";
	snprintf(root, sizeof(root), "/proc/%d/root", a->pid);
	if (same_directory(root, "/"))
		*root = 0;
	/* The kernel names a file as we see it, if we see it. */
	snprintf(path, sizeof(path), "%s%s", access(name, R_OK) == 0 ? "" : root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -ENOENT;
	}
	return verify_file(fd, root, name, a);
}

static int verify(struct arguments *a, const char *path)
{
	_cleanup_close_ int fd = -1;

	if (a->pid)
		return verify_process(a);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -ENOENT;
	}
	return verify_file(fd, "", path, a);
}

static int run(int argc, char **argv)
{
	struct arguments a = {0};
	int operand, status;

	if (cli_is_over(cli_parse(&command_verify_layout, &a, argc, argv, &operand), &status))
		return status;
	if (argc - operand != (a.pid ? 0 : 1)) {
		cli_wrong(&command_verify_layout, "one process (-p PID) or file is needed");
		return CLI_EXIT_USAGE;
	}
	return verify(&a, argv[operand]) < 0;
}

const struct cli_command command_verify_layout = {
	.name = "verify-layout",
	.operands = "-p PID | FILE",
	.summary = "show what was found out about a Python, and hold it against its debug information",
	.text = "\nFILE is a Python or a libpython. The exit status is 1 if anything disagrees.\n",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.apply = apply,
	.run = run,
};
