#include "supervisor/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "attach/procfs.h"

#define TEXT_MAX 3000u

static char **texts(struct run *run, size_t i)
{
	char **const all[] = {&run->executable, &run->library, &run->home, &run->user_base, &run->command};

	return i < ARRAY_SIZE(all) ? all[i] : NULL;
}

void run_init(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->root_fd = run->region_fd = -1;
}

void run_deinit(struct run *run)
{
	for (size_t i = 0; texts(run, i); i++)
		free(*texts(run, i));
	cleanup_closep(&run->root_fd);
	cleanup_closep(&run->region_fd);
	run_init(run);
}

struct head {
	uint32_t id, hexversion;
	int32_t pid, ns_pid;
};

size_t run_encode(const struct run *run, unsigned char buf[RUN_MESSAGE_MAX])
{
	struct head head = {run->id, run->hexversion, run->pid, run->ns_pid};
	size_t at = sizeof(head);

	memcpy(buf, &head, sizeof(head));
	for (size_t i = 0; texts((struct run *)run, i); i++) {
		const char *text = *texts((struct run *)run, i);
		uint32_t len = text ? (uint32_t)strnlen(text, TEXT_MAX) : UINT32_MAX;

		memcpy(buf + at, &len, sizeof(len));
		at += sizeof(len);
		if (!text)
			continue;
		memcpy(buf + at, text, len);
		at += len;
	}
	return at;
}

static int decode_text(const unsigned char **p, const unsigned char *end, char **ret)
{
	uint32_t len;

	if ((size_t)(end - *p) < sizeof(len))
		return -EBADMSG;
	memcpy(&len, *p, sizeof(len));
	*p += sizeof(len);
	if (len == UINT32_MAX)
		return 0;
	if (len > (size_t)(end - *p))
		return -EBADMSG;
	*ret = strndup((const char *)*p, len);
	*p += len;
	return *ret ? 0 : -ENOMEM;
}

int run_decode(const unsigned char *buf, size_t len, struct run *ret)
{
	const unsigned char *p = buf, *end = buf + len;
	struct head head;
	int r = 0;

	run_init(ret);
	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, p, sizeof(head));
	p += sizeof(head);
	ret->id = head.id;
	ret->hexversion = head.hexversion;
	ret->pid = head.pid;
	ret->ns_pid = head.ns_pid;
	for (size_t i = 0; r == 0 && texts(ret, i); i++)
		r = decode_text(&p, end, texts(ret, i));
	if (r < 0)
		run_deinit(ret);
	return r;
}

/* --------------------------------------------------------------------------------------------- the process itself */

/* The root directory when it is not ours (a container, a chroot): names are resolved below it. */
static int open_other_root(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (stat("/", &ours) == 0 && fstat(fd, &theirs) == 0 &&
	    (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino))
		return fd;
	close(fd);
	return -1;
}

/* What the interpreter will take for sys.executable: argv[0], looked for in PATH as Modules/getpath.py does. */
static char *find_executable(pid_t pid, const char *argv0, const char *path)
{
	_cleanup_free_ char *cwd = NULL;
	char full[PATH_MAX];

	if (argv0[0] == '/')
		return strdup(argv0);
	if (strchr(argv0, '/')) {
		cwd = procfs_link(pid, "cwd");
		return cwd && snprintf(full, sizeof(full), "%s/%s", cwd, argv0) < (int)sizeof(full) ? strdup(full)
												    : NULL;
	}
	for (const char *dir = path; dir && *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		char seen[PATH_MAX + 64];
		int n = (int)strcspn(dir, ":");

		if (dir[0] != '/' || snprintf(full, sizeof(full), "%.*s/%s", n, dir, argv0) >= (int)sizeof(full))
			continue;
		snprintf(seen, sizeof(seen), "/proc/%d/root%s", pid, full);
		if (faccessat(AT_FDCWD, seen, X_OK, AT_EACCESS) == 0)
			return strdup(full);
	}
	return NULL;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

void run_note_process(struct run *run, pid_t pid)
{
	char command[512];
	struct procfs_status status;
	size_t len;
	_cleanup_free_ char *argv0 = procfs_argv0(pid), *vars = procfs_environ(pid, &len);

	procfs_cmdline(pid, command, sizeof(command));
	run->pid = pid;
	run->ns_pid = procfs_status(pid, &status) == 0 && status.ns_pid ? status.ns_pid : pid;
	run->command = strdup(command);
	run->executable = argv0 ? find_executable(pid, argv0, procfs_environ_find(vars, len, "PATH"))
				: procfs_link(pid, "exe");
	run->home = copy(procfs_environ_find(vars, len, "HOME"));
	run->user_base = copy(procfs_environ_find(vars, len, "PYTHONUSERBASE"));
	run->root_fd = open_other_root(pid);
}
