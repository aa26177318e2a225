#include "selection/interpreter_facts.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#define PYVENV_CFG_MAX 65536

enum place { STDLIB, THIRD_PARTY };

/*
 * One row per directory of a scheme: %p is sys.prefix, %b sys.base_prefix, %u the user base, %v
 * the version (3.13t). Rows whose letter is unknown are left out. To add a scheme, add its
 * stdlib, platstdlib (STDLIB), purelib, platlib and scripts (THIRD_PARTY). The schemes of Windows
 * are not here. sys.platlibdir is lib or lib64: both are.
 */
static const struct scheme_row {
	const char *path;
	enum place place;
} scheme_rows[] = {
	/* posix_prefix, posix_venv, venv */
	{"%b/lib/python%v", STDLIB},
	{"%b/lib64/python%v", STDLIB},
	{"%p/lib/python%v", STDLIB},
	{"%p/lib64/python%v", STDLIB},
	{"%p/lib/python%v/site-packages", THIRD_PARTY},
	{"%p/lib64/python%v/site-packages", THIRD_PARTY},
	{"%p/bin", THIRD_PARTY},
	/* a venv with system packages: not of sysconfig, but nobody's own code either */
	{"%b/lib/python%v/site-packages", THIRD_PARTY},
	{"%b/lib64/python%v/site-packages", THIRD_PARTY},
	/* posix_home */
	{"%b/lib/python", STDLIB},
	{"%p/lib/python", THIRD_PARTY},
	/* posix_user, osx_framework_user */
	{"%u/lib/python%v", STDLIB},
	{"%u/lib64/python%v", STDLIB},
	{"%u/lib/python", STDLIB},
	{"%u/lib/python%v/site-packages", THIRD_PARTY},
	{"%u/lib64/python%v/site-packages", THIRD_PARTY},
	{"%u/lib/python/site-packages", THIRD_PARTY},
	{"%u/bin", THIRD_PARTY},
	/* Debian: deb_system, posix_local; and its one file of the library outside of it */
	{"%p/lib/python3/dist-packages", THIRD_PARTY},
	{"%p/local/lib/python%v/dist-packages", THIRD_PARTY},
	{"%p/local/bin", THIRD_PARTY},
	{"%b/lib/python3/dist-packages", THIRD_PARTY},
	{"%b/local/lib/python%v/dist-packages", THIRD_PARTY},
	{"/etc/python%v", STDLIB},
};

/** Files of the standard library that no other directory has below the same name. */
static const char *const landmarks[] = {
	"encodings/__init__.py",
	"importlib/__init__.py",
	"collections/__init__.py",
	"lib-dynload/",
	"codecs.py",
	"os.py",
};

static void path_list_deinit(struct path_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct path_list){0};
}

bool path_list_covers(const struct path_list *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++)
		if (path_is_within(path, list->paths[i]))
			return true;
	return false;
}

/** Add @p path, resolved. What is not absolute, or is the root itself, is passed over. */
static int path_list_add(struct path_list *list, struct rootpath *root, const char *path)
{
	_cleanup_free_ char *real = NULL;
	char **paths;
	int r;

	if (path[0] != '/')
		return 0;
	r = rootpath_real(root, path, &real);
	if (r < 0)
		return r == -ENAMETOOLONG ? 0 : r;
	if (!strcmp(real, "/"))
		return 0;
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->paths[i], real))
			return 0;
	paths = reallocarray(list->paths, list->n + 1, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	list->paths = paths;
	paths[list->n++] = take_ptr(real);
	return 0;
}

static char *join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/** Cut the last component off @p path; false if there is none left. */
static bool cut_component(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || !slash[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

static char *parent_of(const char *path, int levels)
{
	char *parent = strdup(path);

	for (; parent && levels > 0; levels--)
		cut_component(parent);
	return parent;
}

static bool has_file(struct rootpath *root, const char *dir, const char *name)
{
	_cleanup_free_ char *path = join(dir, name), *real = NULL;

	return path && rootpath_real(root, path, &real) == 0 && rootpath_exists(root, real, false);
}

/* Every file asks for its directory and all above it: each is looked at once. */
struct directory {
	char *path;
	bool in_venv;
};

/* What a hostile program makes up is not worth remembering. */
#define REMEMBERED_LENGTH_MAX 1024

static void directory_free(struct directory *d)
{
	free(d->path);
	free(d);
}

static bool has_path(const void *entry, const void *key)
{
	return !strcmp(((const struct directory *)entry)->path, key);
}

static void remember(struct interpreter_facts *facts, uint64_t hash, const char *path, bool in_venv)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (!d)
		return;
	d->path = strdup(path);
	d->in_venv = in_venv;
	if (!d->path || hashmap_add(&facts->directories, hash, d) < 0)
		directory_free(d);
}

/** True if a parent of @p dir, but the root, has a pyvenv.cfg. */
static bool is_in_venv(struct interpreter_facts *facts, const char *dir)
{
	size_t len = strlen(dir);
	uint64_t hash = hash_bytes(&facts->key, dir, len);
	const struct directory *known = hashmap_find(&facts->directories, hash, has_path, dir);
	_cleanup_free_ char *parent = NULL;
	bool in_venv;

	if (known)
		return known->in_venv;
	parent = strdup(dir);
	if (!parent || !cut_component(parent) || !parent[1])
		return false;
	in_venv = has_file(&facts->root, parent, "pyvenv.cfg") || is_in_venv(facts, parent);
	if (len <= REMEMBERED_LENGTH_MAX)
		remember(facts, hash, dir, in_venv);
	return in_venv;
}

/** The value of `home` in a pyvenv.cfg of the text @p text, which is changed; NULL if none. */
static char *find_home(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *value = strchr(line, '='), *end;

		if (!value)
			continue;
		*value++ = '\0';
		line += strspn(line, " \t");
		line[strcspn(line, " \t")] = '\0';
		if (strcasecmp(line, "home"))
			continue;
		value += strspn(value, " \t");
		for (end = value + strlen(value); end > value && isspace((unsigned char)end[-1]);)
			*--end = '\0';
		return value[0] == '/' ? strdup(value) : NULL;
	}
	return NULL;
}

static char *read_home(struct rootpath *root, const char *dir)
{
	_cleanup_free_ char *path = join(dir, "pyvenv.cfg"), *real = NULL;
	_cleanup_free_ char *text = calloc(1, PYVENV_CFG_MAX);
	_cleanup_close_ int fd = -1;

	if (!path || !text || rootpath_real(root, path, &real) < 0)
		return NULL;
	fd = rootpath_open(root, real, 0);
	if (fd < 0 || read(fd, text, PYVENV_CFG_MAX - 1) < 0)
		return NULL;
	return find_home(text);
}

/** The directory at or above @p dir that holds lib/pythonX.Y/os.py; NULL if there is none. */
static char *find_prefix(struct rootpath *root, const char *dir, const struct interpreter_hints *h)
{
	static const char *const libs[] = {"lib", "lib64"};
	_cleanup_free_ char *at = strdup(dir);

	do {
		for (size_t i = 0; at && i < ARRAY_SIZE(libs); i++) {
			char name[64];

			snprintf(name, sizeof(name), "%s/python%u.%u%s/os.py", libs[i], h->major, h->minor,
				 h->abi ? h->abi : "");
			if (has_file(root, at, name))
				return take_ptr(at);
		}
	} while (at && cut_component(at));
	return NULL;
}

/** Find prefix and base_prefix from the executable, as Modules/getpath.py does. */
static int find_prefixes(struct interpreter_facts *facts, const struct interpreter_hints *h)
{
	_cleanup_free_ char *dir = parent_of(h->executable, 1), *up = parent_of(h->executable, 2);
	_cleanup_free_ char *home = NULL, *real = NULL;
	int r;

	if (!dir || !up)
		return -ENOMEM;
	if (has_file(&facts->root, dir, "pyvenv.cfg"))
		home = read_home(&facts->root, dir);
	else if (has_file(&facts->root, up, "pyvenv.cfg"))
		home = read_home(&facts->root, up);
	if (home && !facts->prefix)
		facts->prefix = take_ptr(up);
	if (facts->base_prefix)
		return 0;
	if (!home) {
		r = rootpath_real(&facts->root, h->executable, &real);
		if (r < 0)
			return r;
		home = parent_of(real, 1);
		if (!home)
			return -ENOMEM;
	}
	facts->base_prefix = find_prefix(&facts->root, home, h);
	return 0;
}

static int set_prefixes(struct interpreter_facts *facts, const struct interpreter_hints *h)
{
	int r;

	if (h->prefix && !(facts->prefix = strdup(h->prefix)))
		return -ENOMEM;
	if (h->base_prefix)
		facts->base_prefix = strdup(h->base_prefix);
	else if (h->stdlib_dir)
		facts->base_prefix = parent_of(h->stdlib_dir, 2);
	if ((h->base_prefix || h->stdlib_dir) && !facts->base_prefix)
		return -ENOMEM;
	if (h->executable && h->executable[0] == '/') {
		r = find_prefixes(facts, h);
		if (r < 0)
			return r;
	}
	if (!facts->prefix && facts->base_prefix)
		facts->prefix = strdup(facts->base_prefix);
	else if (!facts->base_prefix && facts->prefix)
		facts->base_prefix = strdup(facts->prefix);
	return 0;
}

/** What a letter of scheme_rows stands for; NULL if that is unknown. */
static const char *letter_value(const struct interpreter_facts *facts, char letter, const char *user_base,
				const char *version)
{
	const char *value = letter == 'p'   ? facts->prefix
			    : letter == 'b' ? facts->base_prefix
			    : letter == 'u' ? user_base
					    : version;

	return value && !strcmp(value, "/") ? "" : value;
}

static int add_row(struct interpreter_facts *facts, const struct scheme_row *row, const char *user_base,
		   const char *version)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	size_t len;

	f = open_memstream(&path, &len);
	if (!f)
		return -ENOMEM;
	for (const char *s = row->path; *s; s++) {
		const char *value;

		if (*s != '%') {
			fputc(*s, f);
			continue;
		}
		value = letter_value(facts, *++s, user_base, version);
		if (!value)
			return 0;
		fputs(value, f);
	}
	if (fflush(f) != 0)
		return -ENOMEM;
	return path_list_add(row->place == STDLIB ? &facts->stdlib : &facts->third_party, &facts->root, path);
}

static int add_rows(struct interpreter_facts *facts, const struct interpreter_hints *h)
{
	_cleanup_free_ char *user_base = NULL;
	char version[32];

	snprintf(version, sizeof(version), "%u.%u%s", h->major, h->minor, h->abi ? h->abi : "");
	if (h->user_base)
		user_base = strdup(h->user_base);
	else if (h->home)
		user_base = join(h->home, ".local");
	if ((h->user_base || h->home) && !user_base)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(scheme_rows); i++) {
		int r = add_row(facts, &scheme_rows[i], user_base, version);

		if (r < 0)
			return r;
	}
	return h->stdlib_dir ? path_list_add(&facts->stdlib, &facts->root, h->stdlib_dir) : 0;
}

int interpreter_facts_set_sys_path(struct interpreter_facts *facts, const char *const *entries, size_t n)
{
	path_list_deinit(&facts->sys_path);
	for (size_t i = 0; i < n; i++) {
		int r = path_list_add(&facts->sys_path, &facts->root, entries[i]);

		if (r < 0)
			return r;
	}
	path_list_deinit(&facts->venv_entries);
	for (size_t i = 0; i < n; i++) {
		int r = 0;

		/* by the name it has in sys.path, as coverage.py looks for pyvenv.cfg */
		if (entries[i][0] == '/' && has_file(&facts->root, entries[i], ".") && is_in_venv(facts, entries[i]))
			r = path_list_add(&facts->venv_entries, &facts->root, entries[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int interpreter_facts_init(struct interpreter_facts *facts, const struct interpreter_hints *hints)
{
	int r;

	*facts = (struct interpreter_facts){0};
	hash_key_init(&facts->key);
	r = rootpath_init(&facts->root, hints->root);
	if (r == 0)
		r = set_prefixes(facts, hints);
	if (r == 0)
		r = add_rows(facts, hints);
	if (r == 0)
		r = interpreter_facts_set_sys_path(facts, hints->sys_path, hints->n_sys_path);
	if (r < 0)
		interpreter_facts_deinit(facts);
	return r;
}

void interpreter_facts_deinit(struct interpreter_facts *facts)
{
	path_list_deinit(&facts->stdlib);
	path_list_deinit(&facts->third_party);
	path_list_deinit(&facts->venv_entries);
	path_list_deinit(&facts->sys_path);
	for (size_t i = 0; i < facts->directories.n_slots; i++)
		if (facts->directories.slots[i].entry)
			directory_free(facts->directories.slots[i].entry);
	hashmap_deinit(&facts->directories);
	rootpath_deinit(&facts->root);
	free(take_ptr(facts->prefix));
	free(take_ptr(facts->base_prefix));
}

bool interpreter_facts_is_third_party(struct interpreter_facts *facts, const char *path)
{
	if (path_list_covers(&facts->third_party, path) || path_list_covers(&facts->venv_entries, path))
		return true;
	/* sys.path is not known: the directory of a file is, more often than not, below an entry */
	if (facts->sys_path.n == 0) {
		_cleanup_free_ char *dir = parent_of(path, 1);

		return dir && is_in_venv(facts, dir);
	}
	return false;
}

/** True if @p rest, what follows the directory in a path, is a file of the standard library. */
static bool is_landmark(const char *rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(landmarks); i++) {
		size_t len = strlen(landmarks[i]);
		bool whole = landmarks[i][len - 1] != '/';

		if (!strncmp(rest, landmarks[i], len + whole))
			return true;
	}
	return false;
}

char *interpreter_stdlib_of(const char *path, unsigned int major, unsigned int minor)
{
	const char *at = path;
	char name[32];
	int n = snprintf(name, sizeof(name), "/python%u.%u", major, minor);

	while (path[0] == '/' && (at = strstr(at, name))) {
		at += n;
		at += *at == 't'; /* free-threaded */
		if (*at == '/' && is_landmark(at + 1))
			return strndup(path, (size_t)(at - path));
	}
	return NULL;
}

char *interpreter_facts_landmark(struct interpreter_facts *facts, unsigned int major, unsigned int minor)
{
	static const char *const libs[] = {"lib", "lib64"};
	const char *base = facts->base_prefix;

	for (size_t i = 0; base && i < ARRAY_SIZE(libs); i++) {
		_cleanup_free_ char *path = NULL, *real = NULL;

		if (asprintf(&path, "%s/%s/python%u.%u/%s", strcmp(base, "/") ? base : "", libs[i], major, minor,
			     landmarks[0]) < 0) {
			path = NULL;
			return NULL;
		}
		if (rootpath_real(&facts->root, path, &real) == 0 && rootpath_exists(&facts->root, real, false))
			return take_ptr(path);
	}
	return NULL;
}
