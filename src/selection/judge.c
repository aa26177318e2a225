/* Is a file measured, and why? */
#include "selection/modules.h"
#include "selection/selection_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool in_dirs(const struct selection *sel, const char *path)
{
	for (size_t i = 0; i < sel->dirs.n; i++)
		if (path_is_within(path, sel->dirs.items[i]))
			return true;
	return false;
}

/** The package that is asked for and that module @p name is, or lies in; NULL if none. */
static const char *package_of(const struct selection *sel, const char *name)
{
	for (size_t i = 0; i < sel->packages.n; i++) {
		size_t len = strlen(sel->packages.items[i]);

		if (!strncmp(name, sel->packages.items[i], len) && (name[len] == '\0' || name[len] == '.'))
			return sel->packages.items[i];
	}
	return NULL;
}

/** The name of the module in the file @p path when it is imported from the directory @p from. */
static char *module_name(const char *path, const char *from)
{
	char *name = strdup(path + strlen(from) + 1), *end;

	if (!name)
		return NULL;
	end = strrchr(name, '.');
	if (end && !strchr(end, '/'))
		*end = '\0';
	end = strrchr(name, '/');
	if (end && !strcmp(end, "/__init__"))
		*end = '\0';
	for (char *s = name; *s; s++)
		if (*s == '/')
			*s = '.';
	return name;
}

/** The directory that the outermost package around the file @p path lies in. */
static char *import_root(const struct rootpath *root, const char *path)
{
	char *dir = strdup(path), *slash;

	if (!dir)
		return NULL;
	slash = strrchr(dir, '/');
	while (slash && slash > dir) {
		*slash = '\0';
		if (!module_is_package(root, dir))
			return dir;
		slash = strrchr(dir, '/');
	}
	*dir = '\0';
	return dir;
}

/**
 * The package that the module in the file @p path belongs to, if directories without __init__.py, @p root and perhaps those
 * around it, are packages, too. Which ones are only sys.path could tell; those that are asked for are taken to be, but
 * where a script lies, from where modules are imported without a package.
 */
static const char *namespace_package_of(const struct selection *sel, const char *path, const char *root, bool *is_all)
{
	_cleanup_free_ char *dir = strdup(root);
	const char *package = NULL;
	char *slash;

	while (dir && !package && !string_list_has(&sel->script_dirs, dir) && (slash = strrchr(dir, '/'))) {
		_cleanup_free_ char *name = NULL;

		*slash = '\0';
		name = module_name(path, dir);
		package = name ? package_of(sel, name) : NULL;
		*is_all = package && !strcmp(package, name);
	}
	return package;
}

/** How the name of a module matches that of a package. */
struct match {
	bool is_all;		/* it is the package itself */
	bool is_imported_there; /* an import of the package finds this one */
};

/** Installed packages are imported from one of a few directories, others from anywhere. */
static bool is_import_place(const struct interpreter_facts *facts, const char *dir)
{
	for (size_t i = 0; i < facts->third_party.n; i++)
		if (!strcmp(dir, facts->third_party.paths[i]))
			return true;
	return !path_list_covers(&facts->third_party, dir);
}

/**
 * Look for the package a module belongs to under all names it may have been imported by: from each
 * entry of sys.path, and from where its packages end. @p name is that last one, for the reason.
 */
static const char *find_package(const struct selection *sel, struct interpreter_facts *facts, const char *path,
				char **name, struct match *match)
{
	_cleanup_free_ char *root = import_root(&facts->root, path);
	const char *package;

	*name = root ? module_name(path, root) : NULL;
	package = *name ? package_of(sel, *name) : NULL;
	match->is_all = package && !strcmp(package, *name);
	match->is_imported_there = package && is_import_place(facts, root);
	for (size_t i = 0; i < facts->sys_path.n && !package; i++) {
		_cleanup_free_ char *other = NULL;

		if (!path_is_within(path, facts->sys_path.paths[i]) || !path[strlen(facts->sys_path.paths[i])])
			continue;
		other = module_name(path, facts->sys_path.paths[i]);
		package = other ? package_of(sel, other) : NULL;
		match->is_all = package && !strcmp(package, other);
		match->is_imported_there = package;
	}
	if (!package && *name && facts->sys_path.n == 0)
		package = namespace_package_of(sel, path, root, &match->is_all);
	return package;
}

/** True if the files directly in @p dir are third-party. */
static bool is_third_party_dir(struct interpreter_facts *facts, const char *dir)
{
	_cleanup_free_ char *file = NULL;

	if (asprintf(&file, "%s/file", dir) < 0) {
		file = NULL;
		return false;
	}
	return interpreter_facts_is_third_party(facts, file);
}

/** True if the source that @p path belongs to is itself installed as a third-party package. */
static bool source_is_third_party(const struct selection *sel, struct interpreter_facts *facts, const char *path)
{
	for (size_t i = 0; i < sel->dirs.n; i++)
		if (path_is_within(path, sel->dirs.items[i]) && is_third_party_dir(facts, sel->dirs.items[i]))
			return true;
	for (size_t i = 0; i < sel->packages.n; i++) {
		_cleanup_free_ char *place = module_locate(facts, sel->packages.items[i]);

		if (place && path_is_within(path, place) && interpreter_facts_is_third_party(facts, place))
			return true;
	}
	return false;
}

static bool refuse(struct verdict *verdict, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct verdict *verdict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(verdict->reason, sizeof(verdict->reason), fmt, ap);
	va_end(ap);
	return false;
}

static bool accept_for(struct verdict *verdict, const char *reason)
{
	snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
	return true;
}

/** @p given is the name that the file goes by in its process, where links give modules their names. */
static bool judge_by_source(const struct selection *sel, struct interpreter_facts *facts, const char *given,
			    struct verdict *verdict)
{
	_cleanup_free_ char *name = NULL;
	const char *package = NULL;
	struct match match = {0};

	if (sel->packages.n)
		package = find_package(sel, facts, given, &name, &match);
	verdict->package = package;
	verdict->is_whole = match.is_all;
	verdict->is_package = match.is_all && !strcmp(strrchr(verdict->path, '/'), "/__init__.py");
	if (!package && !in_dirs(sel, verdict->path))
		return name ? refuse(verdict, "module '%s' is outside of --source", name)
			    : refuse(verdict, "outside of --source");
	if (!match.is_imported_there && interpreter_facts_is_third_party(facts, verdict->path) &&
	    !source_is_third_party(sel, facts, verdict->path))
		return refuse(verdict, "inside --source, but third-party");
	return accept_for(verdict, package ? "in a package of --source" : "inside --source");
}

static bool judge_by_default(const struct selection *sel, struct interpreter_facts *facts, struct verdict *verdict)
{
	/* third-party first: site-packages lies in the standard library's directory */
	if (interpreter_facts_is_third_party(facts, verdict->path))
		return refuse(verdict, "a third-party module");
	if (!sel->pylib && path_list_covers(&facts->stdlib, verdict->path))
		return refuse(verdict, "in the standard library");
	return accept_for(verdict, sel->pylib ? "not third-party" : "neither third-party nor the standard library");
}

static bool judge_path(const struct selection *sel, struct interpreter_facts *facts, const char *given,
		       struct verdict *verdict)
{
	bool in;

	if (selection_has_source(sel))
		in = judge_by_source(sel, facts, given, verdict);
	else if (sel->include.n)
		in = glob_list_match(&sel->include, verdict->path) ? accept_for(verdict, "inside --include")
								   : refuse(verdict, "outside of --include");
	else
		in = judge_by_default(sel, facts, verdict);
	if (in && glob_list_match(&sel->omit, verdict->path))
		return refuse(verdict, "inside --omit");
	if (in && !utf8_valid(verdict->path))
		return refuse(verdict, "its name is not UTF-8");
	return in;
}

/** Why @p name cannot be the path of a file; NULL if it can. */
static const char *not_a_path(const char *name)
{
	if (!*name)
		return "it has no name";
	if (*name == '<')
		return "not the name of a file";
	if (!strncmp(name, "memory:", strlen("memory:")))
		return "in memory, not a file";
	return *name == '/' ? NULL : "a relative name of an unknown directory";
}

int selection_judge(const struct selection *sel, struct interpreter_facts *facts, const char *path, struct verdict *ret)
{
	const char *reason = not_a_path(path);
	int r;

	verdict_deinit(ret);
	if (reason) {
		refuse(ret, "%s", reason);
		return 0;
	}
	r = rootpath_real(&facts->root, path, &ret->path);
	if (r == -ENAMETOOLONG) {
		refuse(ret, "its name is too long");
		return 0;
	}
	if (r == 0)
		ret->in = judge_path(sel, facts, path, ret);
	return r;
}

void verdict_deinit(struct verdict *verdict)
{
	free(verdict->path);
	*verdict = (struct verdict){0};
}
