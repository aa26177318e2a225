#include "supervisor/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "supervisor/background.h"
#include "supervisor/supervisor.h"

#define EXIT_NOT_FOUND 127
#define EXIT_NOT_RUN 126

static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* As execvp(3) looks for it. 0, or the error it would end with. */
static int find_command(const char *name, char full[PATH_MAX])
{
	const char *path = getenv("PATH");
	int ret = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(full, PATH_MAX, "%s", name);
		return check_file(name);
	}
	if (!path)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t n = strcspn(path, ":");

		if (snprintf(full, PATH_MAX, "%.*s%s%s", (int)n, path, n ? "/" : "", name) < PATH_MAX) {
			int r = check_file(full);

			if (r == 0)
				return 0;
			if (r == -EACCES)
				ret = r;
		}
		if (!path[n])
			return ret;
		path += n + 1;
	}
}

static int cannot_run(const char *name, int error)
{
	log_error("cannot run %s: %s", name, error == -ENOENT ? "command not found" : strerror(-error));
	return error == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
}

static void explain_untraced(pid_t command, int error)
{
	struct procfs_status status;
	char tracer[256];

	if (procfs_status(command, &status) == 0 && status.tracer) {
		procfs_cmdline(status.tracer, tracer, sizeof(tracer));
		log_warning("not measured: pid %d traces it already: %s", status.tracer, tracer);
	} else {
		log_warning("not measured: it cannot be traced: %s%s", strerror(-error),
			    error == -EPERM ? " (a container without SYS_PTRACE, or Yama's ptrace_scope?)" : "");
	}
}

struct followed {
	pid_t command;
	const char *file; /* that it executes */
	bool no_follow;
	int ready;
	int error; /* of following it */
};

static void follow(void *arg)
{
	struct followed *f = arg;

	f->error = supervisor_seize(f->command, f->no_follow);
	if (f->error < 0)
		explain_untraced(f->command, f->error);
	if (write(f->ready, f->error < 0 ? "n" : "y", 1) != 1)
		f->error = -EPIPE;
}

/* While the command executes: its file, which need not be a program, is the first that is to be looked at. */
static void look_ahead(struct supervisor *s, const struct followed *f)
{
	char path[PATH_MAX + 64];
	_cleanup_close_ int fd = -1;
	const struct image *image;

	snprintf(path, sizeof(path), "/proc/%d/%s/%s", f->command, f->file[0] == '/' ? "root" : "cwd", f->file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		(void)!images_get(&s->images, fd, &image);
}

static void supervise(struct recorder *recorder, int keeper_socket, int message_fd, void *arg)
{
	struct followed *f = arg;
	struct supervisor s;

	close(f->ready);
	supervisor_init(&s, recorder->options, recorder->selection, keeper_socket, message_fd);
	s.keeper.recorder = recorder;
	if (f->error == 0 && supervisor_follow(&s, f->command) == 0) {
		look_ahead(&s, f);
		supervisor_run(&s);
	}
	supervisor_deinit(&s);
}

/* 'y' from the supervisor once it traces us, else it has said why not. */
static int be_traced(struct recorder *recorder, const char *file)
{
	struct followed f = {.command = getpid(), .file = file, .no_follow = recorder->options->no_follow};
	int ready[2], r;
	char answer;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	/* Yama lets only ancestors trace, unless the tracee agrees. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	f.ready = ready[1];
	r = background_start(recorder, f.ready, follow, supervise, &f);
	close(ready[1]);
	if (r == 0 && read(ready[0], &answer, 1) != 1)
		r = -ECHILD;
	close(ready[0]);
	prctl(PR_SET_PTRACER, 0);
	return r;
}

int launch(struct recorder *recorder)
{
	char **command = recorder->options->command;
	char file[PATH_MAX];
	int r = find_command(command[0], file);

	if (r < 0)
		return cannot_run(command[0], r);
	/* Whatever comes of it, the command is run. */
	r = be_traced(recorder, file);
	if (r < 0)
		log_warning("not measured: the supervisor %s%s",
			    r == -ECHILD ? "was killed as it began" : "could not be started: ",
			    r == -ECHILD ? "" : strerror(-r));
	execvp(command[0], command);
	return cannot_run(command[0], -errno);
}
