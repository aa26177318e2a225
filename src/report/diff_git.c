#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/diff.h"

extern char **environ;

struct git {
	pid_t pid;
	FILE *out;
};

/* Settings that would change the text are set here; what is left is in a form that patch_read() knows. */
#define GIT                                                                                                            \
	"git", "-c", "core.quotePath=true", "-c", "diff.relative=false", "-c", "diff.interHunkContext=0", "-c",        \
		"diff.suppressBlankEmpty=false"

static int git_start(const char *const *argv, struct git *ret)
{
	posix_spawn_file_actions_t actions;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	r = -posix_spawnp(&ret->pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	ret->out = r == 0 ? fdopen(fds[0], "r") : NULL;
	if (!ret->out)
		close(fds[0]);
	return r;
}

/* -EIO unless it has ended well; what is wrong it has said. */
static int git_end(struct git *git)
{
	int status = -1;

	if (git->out)
		fclose(git->out);
	while (waitpid(git->pid, &status, 0) < 0 && errno == EINTR)
		;
	return git->out && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int fail(int r, const char *what, char *why)
{
	if (r == -EIO)
		snprintf(why, REPORT_WHY_MAX, "%s failed", what);
	else
		snprintf(why, REPORT_WHY_MAX, "%s: %s", what, strerror(-r));
	return r;
}

static int read_top(char **ret)
{
	const char *const argv[] = {GIT, "rev-parse", "--show-toplevel", NULL};
	size_t size = 0;
	struct git git;
	ssize_t n = -1;
	int r = git_start(argv, &git);

	*ret = NULL;
	if (r < 0)
		return r;
	if (git.out)
		n = getdelim(ret, &size, '\0', git.out);
	r = git_end(&git);
	if (r == 0 && n < 2)
		r = -EIO;
	if (r == 0 && (*ret)[n - 1] == '\n')
		(*ret)[n - 1] = '\0';
	return r;
}

int diff_from_git(const char *revision, struct patch *patch, char **top, char why[REPORT_WHY_MAX])
{
	const char *const argv[] = {GIT,
				    "diff",
				    "-U0",
				    "-M",
				    "--no-color",
				    "--no-ext-diff",
				    "--no-textconv",
				    "--ignore-submodules=all",
				    "--src-prefix=a/",
				    "--dst-prefix=b/",
				    "--end-of-options",
				    revision,
				    "--",
				    NULL};
	unsigned long line = 0;
	struct git git;
	int r, ended;

	*patch = (struct patch){0};
	*top = NULL;
	if (*revision == '-') {
		snprintf(why, REPORT_WHY_MAX, "%s is no revision", revision);
		return -EINVAL;
	}
	r = read_top(top);
	if (r < 0)
		return fail(r, "git rev-parse", why);
	r = git_start(argv, &git);
	if (r < 0)
		return fail(r, "git diff", why);
	r = git.out ? patch_read(git.out, patch, &line) : -ENOMEM;
	ended = git_end(&git);
	if (ended < 0)
		return fail(ended, "git diff", why);
	if (r == -EBADMSG)
		snprintf(why, REPORT_WHY_MAX, "git diff: line %lu is not understood", line);
	return r == -EBADMSG ? r : r < 0 ? fail(r, "git diff", why) : 0;
}
