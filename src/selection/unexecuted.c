/* The files of a source, have they run or not. */
#include "selection/selection_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/utf8.h"

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

struct walk {
	const struct selection *sel;
	struct dir_cache *dirs;
	struct rootpath *root;
	selection_file_fn fn;
	void *arg;
};

/** What coverage.py takes for an importable file: [^.#~!$@%^&*()+=,]+\.pyw? */
static bool is_python_name(const char *name)
{
	size_t stem = strcspn(name, ".#~!$@%^&*()+=,");

	return stem > 0 && (!strcmp(name + stem, ".py") || !strcmp(name + stem, ".pyw"));
}

/** Directories are walked without links, so a file that is none itself has none in its path. */
static int walk_file(struct walk *walk, const char *path, bool is_real)
{
	_cleanup_free_ char *resolved = NULL;
	const char *real = path;
	int r = 0;

	if (!is_real) {
		r = rootpath_real(walk->root, path, &resolved);
		real = resolved;
	}
	if (r < 0)
		return r == -ENAMETOOLONG ? 0 : r;
	if (glob_list_match(&walk->sel->omit, real) || !utf8_valid(real))
		return 0;
	return walk->fn(walk->arg, real);
}

static int walk_dir(struct walk *walk, const char *dir, bool top);

enum { ENTRY_FILE, ENTRY_DIR, ENTRY_DIR_LINK };

/** As os.walk() sorts them: a link to a directory is neither entered nor a file. */
static int entry_kind(const struct walk *walk, const char *path, unsigned char type)
{
	_cleanup_free_ char *full = NULL;
	struct stat st;

	if (type == DT_DIR)
		return ENTRY_DIR;
	if (type != DT_UNKNOWN && type != DT_LNK)
		return ENTRY_FILE;
	if (asprintf(&full, "%s%s", walk->root->root, path) < 0) {
		full = NULL;
		return ENTRY_FILE;
	}
	if (lstat(full, &st) == 0 && S_ISDIR(st.st_mode))
		return ENTRY_DIR;
	return is_dir(full) ? ENTRY_DIR_LINK : ENTRY_FILE;
}

static int walk_entry(struct walk *walk, const char *dir, const struct dirent *entry, bool dirs)
{
	_cleanup_free_ char *path = NULL;

	if (dirs ? entry->d_type == DT_REG : !is_python_name(entry->d_name))
		return 0;
	if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	switch (entry_kind(walk, path, entry->d_type)) {
	case ENTRY_FILE:
		return dirs ? 0 : walk_file(walk, path, entry->d_type == DT_REG);
	case ENTRY_DIR:
		return dirs ? walk_dir(walk, path, false) : 0;
	default:
		return 0;
	}
}

static bool has_init(const struct dir_listing *listing)
{
	for (int i = 0; i < listing->n; i++)
		if (!strcmp(listing->entries[i]->d_name, "__init__.py"))
			return true;
	return false;
}

static int is_walked(const struct dirent *entry)
{
	if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
		return false;
	return is_python_name(entry->d_name) || (entry->d_type != DT_REG && entry->d_type != DT_LNK);
}

static int walk_dir(struct walk *walk, const char *dir, bool top)
{
	const struct dir_listing *listing;
	_cleanup_free_ char *full = NULL;
	int r;

	if (asprintf(&full, "%s%s", walk->root->root, dir) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	r = dir_cache_read(walk->dirs, full, is_walked, &listing);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!top && !walk->sel->namespace_packages && !has_init(listing))
		return 0;
	for (int dirs = 0; dirs <= 1; dirs++)
		for (int i = 0; i < listing->n && r >= 0; i++)
			r = walk_entry(walk, dir, listing->entries[i], dirs);
	return r;
}

int selection_unexecuted_files(const struct selection *sel, struct dir_cache *dirs, selection_file_fn fn, void *arg)
{
	_cleanup_(rootpath_deinit) struct rootpath ours = {0};
	struct walk walk = {sel, dirs, &ours, fn, arg};
	int r;

	r = rootpath_init(&ours, NULL);
	for (size_t i = 0; i < sel->dirs.n && r >= 0; i++)
		r = walk_dir(&walk, sel->dirs.items[i], true);
	return r < 0 ? r : 0;
}

int selection_unexecuted_in(const struct selection *sel, struct dir_cache *dirs, struct interpreter_facts *facts,
			    const char *dir, selection_file_fn fn, void *arg)
{
	struct walk walk = {sel, dirs, &facts->root, fn, arg};
	int r = walk_dir(&walk, dir, true);

	return r < 0 ? r : 0;
}
