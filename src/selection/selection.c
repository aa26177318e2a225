#include "selection/selection.h"

#include "base/utf8.h"
#include "selection/glob.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

struct name_list {
	char **names;
	size_t n;
};

struct selection {
	struct name_list dirs; /* without links */
	struct name_list packages; /* and NULL behind the last */
	struct name_list script_dirs; /* without links */
	struct glob_list include, omit;
	bool pylib, namespace_packages;
};

static int name_list_add(struct name_list *list, const char *name)
{
	char **names = reallocarray(list->names, list->n + 2, sizeof(*names));

	if (!names)
		return -ENOMEM;
	list->names = names;
	names[list->n] = strdup(name);
	if (!names[list->n])
		return -ENOMEM;
	names[++list->n] = NULL;
	return 0;
}

static bool has_name(const struct name_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->names[i], name))
			return true;
	return false;
}

static void name_list_deinit(struct name_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->names[i]);
	free(list->names);
}

void selection_free(struct selection *sel)
{
	if (!sel)
		return;
	name_list_deinit(&sel->dirs);
	name_list_deinit(&sel->packages);
	name_list_deinit(&sel->script_dirs);
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
	_cleanup_(rootpath_deinit) struct rootpath rp = { 0 };
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
	return name_list_add(&sel->dirs, real);
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
			r = name_list_add(&sel->script_dirs, real);
	}
	return r;
}

static int add_packages(struct selection *sel, const char *const *names)
{
	int r = 0;

	for (; names && *names && r == 0; names++)
		r = name_list_add(&sel->packages, *names);
	return r;
}

static int add_sources(struct selection *sel, const char *const *source, char *why, size_t size)
{
	int r = 0;

	for (; source && *source && r == 0; source++)
		r = is_dir(*source) ? add_dir(sel, *source, why, size) :
				      name_list_add(&sel->packages, *source);
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

int selection_new(const struct selection_options *options, char *why, size_t size,
		  struct selection **ret)
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

	return sel->packages.n ? (const char *const *)sel->packages.names : none;
}

bool selection_is_given(const struct selection *sel)
{
	return selection_has_source(sel) || sel->include.n || sel->omit.n;
}

bool selection_include_is_ignored(const struct selection *sel)
{
	return selection_has_source(sel) && sel->include.n;
}

static bool in_dirs(const struct selection *sel, const char *path)
{
	for (size_t i = 0; i < sel->dirs.n; i++)
		if (path_is_within(path, sel->dirs.names[i]))
			return true;
	return false;
}

/** The package that is asked for and that module @p name is, or lies in; NULL if none. */
static const char *package_of(const struct selection *sel, const char *name)
{
	for (size_t i = 0; i < sel->packages.n; i++) {
		size_t len = strlen(sel->packages.names[i]);

		if (!strncmp(name, sel->packages.names[i], len) &&
		    (name[len] == '\0' || name[len] == '.'))
			return sel->packages.names[i];
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

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);

	return n >= len && !strcmp(text + n - len, end);
}

static bool is_package(const struct rootpath *root, const char *dir)
{
	_cleanup_free_ char *init = NULL;

	if (asprintf(&init, "%s/__init__.py", dir) < 0) {
		init = NULL;
		return false;
	}
	return rootpath_exists(root, init, false);
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
		if (!is_package(root, dir))
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

	while (dir && !package && !has_name(&sel->script_dirs, dir) && (slash = strrchr(dir, '/'))) {
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
static const char *find_package(const struct selection *sel, struct interpreter_facts *facts,
				const char *path, char **name, struct match *match)
{
	_cleanup_free_ char *root = import_root(&facts->root, path);
	const char *package;

	*name = root ? module_name(path, root) : NULL;
	package = *name ? package_of(sel, *name) : NULL;
	match->is_all = package && !strcmp(package, *name);
	match->is_imported_there = package && is_import_place(facts, root);
	for (size_t i = 0; i < facts->sys_path.n && !package; i++) {
		_cleanup_free_ char *other = NULL;

		if (!path_is_within(path, facts->sys_path.paths[i]) ||
		    !path[strlen(facts->sys_path.paths[i])])
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

/** The path that @p fmt makes, without links, if there is such a file or directory; or NULL. */
static char *existing(struct rootpath *root, bool dir, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
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

/** Where an import of @p name would find it; NULL if nowhere. */
static char *locate(struct interpreter_facts *facts, const char *name)
{
	const struct path_list *const lists[] = { &facts->sys_path, &facts->third_party };

	return find_in_lists(facts, lists, ARRAY_SIZE(lists), name, module_in);
}

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
	const struct path_list *const lists[] = { &facts->sys_path, &facts->third_party, &facts->stdlib };
	_cleanup_free_ char *place = find_in_lists(facts, lists, ARRAY_SIZE(lists), name, module_in), *file = NULL;

	if (place && path_list_covers(&facts->stdlib, place) && is_one_of(name, frozen, ARRAY_SIZE(frozen)))
		return MODULE_FROZEN;
	if (place && (ends_in(place, ".py") || is_package(&facts->root, place)))
		return MODULE_SOURCE;
	if (is_one_of(name, built_in, ARRAY_SIZE(built_in)))
		return MODULE_COMPILED;
	file = find_in_lists(facts, lists, ARRAY_SIZE(lists), name, compiled_in) ?:
	       find_in_lists(facts, lists + 2, 1, name, dynload_in);
	return file ? MODULE_COMPILED : place ? MODULE_NAMESPACE : MODULE_UNKNOWN;
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
static bool source_is_third_party(const struct selection *sel, struct interpreter_facts *facts,
				  const char *path)
{
	for (size_t i = 0; i < sel->dirs.n; i++)
		if (path_is_within(path, sel->dirs.names[i]) && is_third_party_dir(facts, sel->dirs.names[i]))
			return true;
	for (size_t i = 0; i < sel->packages.n; i++) {
		_cleanup_free_ char *place = locate(facts, sel->packages.names[i]);

		if (place && path_is_within(path, place) &&
		    interpreter_facts_is_third_party(facts, place))
			return true;
	}
	return false;
}

static bool refuse(struct verdict *verdict, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
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
	struct match match = { 0 };

	if (sel->packages.n)
		package = find_package(sel, facts, given, &name, &match);
	verdict->package = package;
	verdict->is_whole = match.is_all;
	verdict->is_package = match.is_all && ends_in(verdict->path, "/__init__.py");
	if (!package && !in_dirs(sel, verdict->path))
		return name ? refuse(verdict, "module '%s' is outside of --source", name) :
			      refuse(verdict, "outside of --source");
	if (!match.is_imported_there && interpreter_facts_is_third_party(facts, verdict->path) &&
	    !source_is_third_party(sel, facts, verdict->path))
		return refuse(verdict, "inside --source, but third-party");
	return accept_for(verdict, package ? "in a package of --source" : "inside --source");
}

static bool judge_by_default(const struct selection *sel, struct interpreter_facts *facts,
			     struct verdict *verdict)
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
		in = glob_list_match(&sel->include, verdict->path) ? accept_for(verdict, "inside --include") :
								     refuse(verdict, "outside of --include");
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

int selection_judge(const struct selection *sel, struct interpreter_facts *facts,
		    const char *path, struct verdict *ret)
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
	*verdict = (struct verdict){ 0 };
}

static int add_but(struct selection_foresight *f, const char *before, const char *name, size_t len,
		   const char *behind)
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
		r = add_but(f, "", sel->dirs.names[i], strlen(sel->dirs.names[i]), "/");
	for (size_t i = 0; i < sel->packages.n && r == 0; i++) {
		const char *name = sel->packages.names[i];

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

	if (!dirs && !is_python_name(entry->d_name))
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
	_cleanup_(rootpath_deinit) struct rootpath ours = { 0 };
	struct walk walk = { sel, dirs, &ours, fn, arg };
	int r;

	r = rootpath_init(&ours, NULL);
	for (size_t i = 0; i < sel->dirs.n && r >= 0; i++)
		r = walk_dir(&walk, sel->dirs.names[i], true);
	return r < 0 ? r : 0;
}

int selection_unexecuted_in(const struct selection *sel, struct dir_cache *dirs, struct interpreter_facts *facts,
			    const char *dir, selection_file_fn fn, void *arg)
{
	struct walk walk = { sel, dirs, &facts->root, fn, arg };
	int r = walk_dir(&walk, dir, true);

	return r < 0 ? r : 0;
}
