/* What was asked for. */
#include "selection/selection_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void selection_free(struct selection *sel)
{
	if (!sel)
		return;
	string_list_deinit(&sel->dirs);
	string_list_deinit(&sel->packages);
	string_list_deinit(&sel->script_dirs);
	glob_list_deinit(&sel->include);
	glob_list_deinit(&sel->omit);
	free(sel);
}

static void selection_freep(struct selection **sel)
{
	selection_free(*sel);
}

/** What os.path.realpath() makes of @p path, which may be relative and need not exist. */
static int real_path(const char *path, char **ret)
{
	_cleanup_(rootpath_deinit) struct rootpath rp = {0};
	_cleanup_free_ char *cwd = NULL, *full = NULL;

	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return -errno;
	}
	if (asprintf(&full, "%s/%s", cwd ? cwd : "", path) < 0)
		full = NULL;
	if (!full || rootpath_init(&rp, NULL) < 0)
		return -ENOMEM;
	return rootpath_real(&rp, full, ret);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int add_dir(struct selection *sel, const char *path, char *why, size_t size)
{
	_cleanup_free_ char *real = NULL;
	int r;

	if (!is_dir(path)) {
		snprintf(why, size, "the source '%s' is not a directory", path);
		return -EINVAL;
	}
	r = real_path(path, &real);
	if (r < 0)
		return r;
	if (!strcmp(real, "/")) {
		snprintf(why, size, "the source '%s' is the root directory", path);
		return -EINVAL;
	}
	return string_list_push(&sel->dirs, real);
}

static int add_dirs(struct selection *sel, const char *const *dirs, char *why, size_t size)
{
	int r = 0;

	for (; dirs && *dirs && r == 0; dirs++)
		r = add_dir(sel, *dirs, why, size);
	return r;
}

/* One that is not there, or a file, is of no consequence. */
static int add_script_dirs(struct selection *sel, const char *const *dirs)
{
	int r = 0;

	for (; dirs && *dirs && r == 0; dirs++) {
		_cleanup_free_ char *real = NULL;

		r = real_path(*dirs, &real);
		if (r == 0)
			r = string_list_push(&sel->script_dirs, real);
	}
	return r;
}

static int add_packages(struct selection *sel, const char *const *names)
{
	int r = 0;

	for (; names && *names && r == 0; names++)
		r = string_list_push(&sel->packages, *names);
	return r;
}

static int add_sources(struct selection *sel, const char *const *source, char *why, size_t size)
{
	int r = 0;

	for (; source && *source && r == 0; source++)
		r = is_dir(*source) ? add_dir(sel, *source, why, size) : string_list_push(&sel->packages, *source);
	return r;
}

int selection_add_patterns(struct glob_list *list, const char *const *patterns, char *why, size_t size)
{
	int r = 0;

	for (; patterns && *patterns && r == 0; patterns++) {
		_cleanup_free_ char *real = NULL;

		r = glob_list_add(list, *patterns, why, size);
		if (r < 0 || **patterns == '*' || **patterns == '?')
			continue;
		r = real_path(*patterns, &real);
		if (r == 0)
			r = glob_list_add(list, real, why, size);
	}
	return r;
}

int selection_new(const struct selection_options *options, char *why, size_t size, struct selection **ret)
{
	_cleanup_(selection_freep) struct selection *sel = calloc(1, sizeof(*sel));
	int r;

	if (!sel)
		return -ENOMEM;
	sel->pylib = options->pylib;
	sel->namespace_packages = options->namespace_packages;
	r = add_packages(sel, options->source_pkgs);
	if (r == 0)
		r = add_dirs(sel, options->source_dirs, why, size);
	if (r == 0)
		r = add_sources(sel, options->source, why, size);
	if (r == 0)
		r = add_script_dirs(sel, options->script_dirs);
	if (r == 0)
		r = selection_add_patterns(&sel->include, options->include, why, size);
	if (r == 0)
		r = selection_add_patterns(&sel->omit, options->omit, why, size);
	if (r == 0)
		*ret = take_ptr(sel);
	return r;
}

bool selection_has_source(const struct selection *sel)
{
	return sel->dirs.n || sel->packages.n;
}

const char *const *selection_packages(const struct selection *sel)
{
	static const char *const none[] = {NULL};

	return sel->packages.n ? (const char *const *)sel->packages.items : none;
}

bool selection_is_given(const struct selection *sel)
{
	return selection_has_source(sel) || sel->include.n || sel->omit.n;
}

bool selection_include_is_ignored(const struct selection *sel)
{
	return selection_has_source(sel) && sel->include.n;
}

static int add_but(struct selection_foresight *f, const char *before, const char *name, size_t len, const char *behind)
{
	if (asprintf(&f->but[f->n_but], "%s%.*s%s", before, (int)len, name, behind) < 0) {
		f->but[f->n_but] = NULL;
		return -ENOMEM;
	}
	f->n_but++;
	return 0;
}

/** A directory of the source, or the outermost name of a package of it, as a directory or a module. */
static int add_buts(const struct selection *sel, struct selection_foresight *f)
{
	int r = 0;

	for (size_t i = 0; i < sel->dirs.n && r == 0; i++)
		r = add_but(f, "", sel->dirs.items[i], strlen(sel->dirs.items[i]), "/");
	for (size_t i = 0; i < sel->packages.n && r == 0; i++) {
		const char *name = sel->packages.items[i];

		r = add_but(f, "/", name, strcspn(name, "."), "/");
		if (r == 0)
			r = add_but(f, "/", name, strcspn(name, "."), ".");
	}
	return r;
}

static void add_foreseen(struct selection_foresight *f, const struct path_list *list)
{
	for (size_t i = 0; i < list->n && f->n_dirs < ARRAY_SIZE(f->dirs); i++)
		f->dirs[f->n_dirs++] = list->paths[i];
}

int selection_foresee(const struct selection *sel, const struct interpreter_facts *facts,
		      struct selection_foresight *ret)
{
	bool has_source = selection_has_source(sel);

	*ret = (struct selection_foresight){0};
	/* A pattern may match anywhere. */
	if (!has_source && sel->include.n)
		return 0;
	if (sel->dirs.n + 2 * sel->packages.n > ARRAY_SIZE(ret->but))
		return 0;
	if (has_source || !sel->pylib)
		add_foreseen(ret, &facts->stdlib);
	add_foreseen(ret, &facts->third_party);
	return add_buts(sel, ret);
}

void selection_foresight_deinit(struct selection_foresight *foresight)
{
	for (size_t i = 0; i < foresight->n_but; i++)
		free(foresight->but[i]);
	*foresight = (struct selection_foresight){0};
}
