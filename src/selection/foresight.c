#include "selection/foresight.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void foresight_deinit(struct foresight *f)
{
	free(f->executable);
	free(f->library);
	memset(f, 0, sizeof(*f));
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* All text is zeros but for what was put in: the lists and the strings close themselves. False without room. */
static bool put(char *text, size_t *at, const char *string)
{
	size_t n = strlen(string) + 1;

	if (n > AGENT_REFUSED_TEXT - 2 - *at)
		return false;
	memcpy(text + *at, string, n);
	*at += n;
	return true;
}

/* Directories that do not fit are left out, and without its exceptions nothing may be refused. */
static bool compose(const struct selection_foresight *s, const char *landmark, char text[AGENT_REFUSED_TEXT])
{
	size_t at = 0, room = 0;

	for (size_t i = 0; i < s->n_but; i++)
		room += strlen(s->but[i]) + 1;
	if (room > AGENT_REFUSED_TEXT / 2 || !s->n_dirs || !put(text, &at, landmark))
		return false;
	for (size_t i = 0; i < s->n_dirs; i++)
		if (strlen(s->dirs[i]) + 1 + room + 4 < AGENT_REFUSED_TEXT - at)
			put(text, &at, s->dirs[i]);
	at++;
	for (size_t i = 0; i < s->n_but; i++)
		if (!put(text, &at, s->but[i]))
			return false;
	return true;
}

/*
 * Nothing that depends on what is only known later: not the user's own packages (HOME may differ between processes of one
 * interpreter), not sys.path.
 */
static int work_out(struct foresight *f, const struct selection *selection, const struct run *run)
{
	_cleanup_interpreter_facts_ struct interpreter_facts facts = {0};
	_cleanup_foresight_ struct selection_foresight s = {0};
	_cleanup_free_ char *landmark = NULL;
	struct interpreter_hints hints = {
		.major = 3, .minor = run->hexversion >> 16 & 0xff, .executable = run->executable};
	char root[64];
	int r;

	if (run->root_fd >= 0) {
		snprintf(root, sizeof(root), "/proc/self/fd/%d", run->root_fd);
		hints.root = root;
	}
	r = interpreter_facts_init(&facts, &hints);
	if (r < 0)
		return r;
	landmark = interpreter_facts_landmark(&facts, hints.major, hints.minor);
	r = landmark ? selection_foresee(selection, &facts, &s) : -ENOENT;
	if (r < 0)
		return r;
	return compose(&s, landmark, f->text) ? 0 : -ENOENT;
}

const char *foresight_get(struct foresight *f, const struct selection *selection, const struct run *run)
{
	struct stat root = {0};

	if (run->root_fd >= 0 && fstat(run->root_fd, &root) < 0)
		return "";
	if (f->hexversion == run->hexversion && same_text(f->executable, run->executable) &&
	    same_text(f->library, run->library) && f->root_dev == root.st_dev && f->root_ino == root.st_ino)
		return f->text;
	foresight_deinit(f);
	f->hexversion = run->hexversion;
	f->executable = run->executable ? strdup(run->executable) : NULL;
	f->library = run->library ? strdup(run->library) : NULL;
	f->root_dev = root.st_dev;
	f->root_ino = root.st_ino;
	if (!run->executable || work_out(f, selection, run) < 0)
		memset(f->text, 0, sizeof(f->text));
	return f->text;
}
