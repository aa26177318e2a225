#include "selection/modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n >= len && !strcmp(text + n - len, end);
}

bool module_is_package(const struct rootpath *root, const char *dir)
{
	_cleanup_free_ char *init = NULL;

	if (asprintf(&init, "%s/__init__.py", dir) < 0) {
		init = NULL;
		return false;
	}
	return rootpath_exists(root, init, false);
}

/** The path that @p fmt makes, without links, if there is such a file or directory; or NULL. */
static char *existing(struct rootpath *root, bool dir, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static char *existing(struct rootpath *root, bool dir, const char *fmt, ...)
{
	_cleanup_free_ char *path = NULL, *real = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&path, fmt, ap);
	va_end(ap);
	if (n < 0) {
		path = NULL;
		return NULL;
	}
	if (rootpath_real(root, path, &real) < 0 || !rootpath_exists(root, real, dir))
		return NULL;
	return take_ptr(real);
}

/** The module @p relative (slashes for dots) in @p dir: a package's directory, or a file. */
static char *module_in(struct rootpath *root, const char *dir, const char *relative)
{
	char *found = existing(root, false, "%s/%s/__init__.py", dir, relative);

	if (found) {
		*strrchr(found, '/') = '\0';
		return found;
	}
	found = existing(root, false, "%s/%s.py", dir, relative);
	return found ?: existing(root, true, "%s/%s", dir, relative);
}

/** A compiled module: "NAME.cpython-313-x86_64-linux-gnu.so", "NAME.abi3.so" or "NAME.so". */
static char *compiled_in(struct rootpath *root, const char *dir, const char *relative)
{
	_cleanup_free_ char *path = NULL, *real = NULL;
	_cleanup_closedir_ DIR *list = NULL;
	const struct dirent *entry;
	const char *name;
	size_t len;
	int fd;

	if (asprintf(&path, "%s/%s", dir, relative) < 0) {
		path = NULL;
		return NULL;
	}
	name = strrchr(path, '/') + 1;
	len = strlen(name);
	path[name - path - 1] = '\0';
	fd = rootpath_real(root, path, &real) < 0 ? -1 : rootpath_open(root, real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = fd < 0 ? NULL : fdopendir(fd);
	while (list && (entry = readdir(list)))
		if (!strncmp(entry->d_name, name, len) && entry->d_name[len] == '.' && ends_in(entry->d_name, ".so"))
			return strdup(real);
	if (fd >= 0 && !list)
		close(fd);
	return NULL;
}

typedef char *(*find_in_fn)(struct rootpath *root, const char *dir, const char *relative);

/** What @p find finds in the first directory of @p lists in which it finds something; NULL if it does not. */
static char *find_in_lists(struct interpreter_facts *facts, const struct path_list *const *lists, size_t n,
			   const char *name, find_in_fn find)
{
	_cleanup_free_ char *relative = strdup(name);

	for (char *s = relative; s && *s; s++)
		if (*s == '.')
			*s = '/';
	for (size_t i = 0; relative && i < n; i++)
		for (size_t j = 0; j < lists[i]->n; j++) {
			char *found = find(&facts->root, lists[i]->paths[j], relative);

			if (found)
				return found;
		}
	return NULL;
}

char *module_locate(struct interpreter_facts *facts, const char *name)
{
	const struct path_list *const lists[] = {&facts->sys_path, &facts->third_party};

	return find_in_lists(facts, lists, ARRAY_SIZE(lists), name, module_in);
}

/* clang-format off */
/* In every build they are in the program itself (CPython, Modules/Setup.bootstrap.in). */
static const char *const built_in[] = {
	"_abc", "_ast", "_codecs", "_collections", "_functools", "_imp", "_io", "_operator", "_signal", "_sre", "_stat",
	"_string", "_symtable", "_thread", "_tracemalloc", "_warnings", "_weakref", "atexit", "builtins", "errno",
	"faulthandler", "gc", "itertools", "marshal", "posix", "sys", "time",
};

/* CPython, Python/frozen.c, since 3.11 */
static const char *const frozen[] = {
	"_collections_abc", "_sitebuiltins", "abc", "codecs", "genericpath", "importlib._bootstrap",
	"importlib._bootstrap_external", "importlib.machinery", "importlib.util", "io", "ntpath", "os", "posixpath",
	"runpy", "site", "stat", "zipimport",
};
/* clang-format on */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static char *dynload_in(struct rootpath *root, const char *dir, const char *relative)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/lib-dynload", dir) < 0) {
		path = NULL;
		return NULL;
	}
	return compiled_in(root, path, relative);
}

enum module_kind module_kind_of(struct interpreter_facts *facts, const char *name)
{
	const struct path_list *const lists[] = {&facts->sys_path, &facts->third_party, &facts->stdlib};
	_cleanup_free_ char *place = find_in_lists(facts, lists, ARRAY_SIZE(lists), name, module_in), *file = NULL;

	if (place && path_list_covers(&facts->stdlib, place) && is_one_of(name, frozen, ARRAY_SIZE(frozen)))
		return MODULE_FROZEN;
	if (place && (ends_in(place, ".py") || module_is_package(&facts->root, place)))
		return MODULE_SOURCE;
	if (is_one_of(name, built_in, ARRAY_SIZE(built_in)))
		return MODULE_COMPILED;
	file = find_in_lists(facts, lists, ARRAY_SIZE(lists), name, compiled_in)
		       ?: find_in_lists(facts, lists + 2, 1, name, dynload_in);
	return file ? MODULE_COMPILED : place ? MODULE_NAMESPACE : MODULE_UNKNOWN;
}
