#include "data/path_aliases.h"

#include <ctype.h>
#include <string.h>

#include "base/hashmap.h"
#include "selection/glob.h"
#include "selection/rootpath.h"

#define KNOWN_MAX 100000

/* A prefix that becomes another. */
struct alias {
	char *original;	   /* the pattern as it was given */
	struct glob *glob; /* NULL: `literal`, below any directory or none */
	char *literal;
	char *result; /* ends in a separator */
};

/* What was asked before. */
struct mapping {
	char *path, *result;
};

struct path_aliases {
	struct alias *aliases;
	size_t n;
	bool relative;
	char *cwd; /* with a slash at the end */
	struct rootpath root;
	struct hashmap known; /* of struct mapping */
	struct hash_key key;
};

static void forget_known(struct path_aliases *a)
{
	for (size_t i = 0; i < a->known.n_slots; i++) {
		struct mapping *m = a->known.slots[i].entry;

		if (m) {
			free(m->path);
			free(m->result);
			free(m);
		}
	}
	hashmap_deinit(&a->known);
	a->known = (struct hashmap){0};
}

void path_aliases_free(struct path_aliases *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++) {
		free(a->aliases[i].original);
		glob_free(a->aliases[i].glob);
		free(a->aliases[i].literal);
		free(a->aliases[i].result);
	}
	forget_known(a);
	rootpath_deinit(&a->root);
	free(a->aliases);
	free(a->cwd);
	free(a);
}

static void path_aliases_freep(struct path_aliases **a)
{
	path_aliases_free(*a);
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* The kind of separator that a name has. */
static char separator_of(const char *path)
{
	path += strcspn(path, "/\\");
	return *path ? *path : '/';
}

/* Absolute on any system. */
static bool is_absolute(const char *path)
{
	return is_separator(path[0]) || (isalpha((unsigned char)path[0]) && path[1] == ':' && is_separator(path[2]));
}

static size_t length_without_separators(const char *path)
{
	size_t n = strlen(path);

	while (n && is_separator(path[n - 1]))
		n--;
	return n;
}

/* What os.path.realpath() makes of it. */
static int real_path(struct path_aliases *a, const char *path, char **ret)
{
	_cleanup_free_ char *full = NULL;
	int r;

	if (asprintf(&full, "%s%s", *path == '/' ? "" : a->cwd, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	r = rootpath_real(&a->root, full, ret);
	if (r != -ENAMETOOLONG)
		return r;
	*ret = take_ptr(full);
	return 0;
}

static int alias_push(struct path_aliases *a, struct alias **ret)
{
	struct alias *aliases = reallocarray(a->aliases, a->n + 1, sizeof(*aliases));

	if (!aliases)
		return -ENOMEM;
	a->aliases = aliases;
	*ret = &aliases[a->n++];
	**ret = (struct alias){0};
	return 0;
}

/* The pattern as it is matched: absolute unless it may begin anywhere, and with a separator at its end. */
static int prepare_pattern(struct path_aliases *a, const char *pattern, char **ret)
{
	char separator = separator_of(pattern);
	size_t n = strlen(pattern) > 1 ? length_without_separators(pattern) : strlen(pattern);
	_cleanup_free_ char *cut = strndup(pattern, n), *real = NULL;
	const char *text = cut;
	int r;

	if (!cut)
		return -ENOMEM;
	if (n && cut[n - 1] == '*')
		return -EINVAL;
	if (!a->relative && *cut != '*' && !is_absolute(cut) &&
	    !(isalpha((unsigned char)*cut) && !strcmp(cut + 1, ":"))) {
		r = real_path(a, cut, &real);
		if (r < 0)
			return r;
		text = real;
	}
	n = strlen(text);
	if (n && text[n - 1] == separator)
		*ret = strdup(text);
	else if (asprintf(ret, "%s%c", text, separator) < 0)
		*ret = NULL;
	return *ret ? 0 : -ENOMEM;
}

static int add_rule(struct path_aliases *a, const char *pattern, const char *result, char *why, size_t size)
{
	_cleanup_free_ char *prepared = NULL;
	struct alias *alias;
	int r = prepare_pattern(a, pattern, &prepared);

	if (r == -EINVAL)
		snprintf(why, size, "[paths]: the pattern '%s' must not end with a wildcard", pattern);
	if (r == 0)
		r = alias_push(a, &alias);
	if (r < 0)
		return r;
	alias->original = strdup(pattern);
	if (asprintf(&alias->result, "%.*s%c", (int)length_without_separators(result), result, separator_of(result)) <
	    0)
		alias->result = NULL;
	if (!alias->original || !alias->result)
		return -ENOMEM;
	return glob_new(prepared, why, size, &alias->glob);
}

int path_aliases_new(const struct config *config, char *why, size_t size, struct path_aliases **ret)
{
	_cleanup_(path_aliases_freep) struct path_aliases *a = calloc(1, sizeof(*a));
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	int r = 0;

	snprintf(why, size, "out of memory");
	if (!a || !cwd || rootpath_init(&a->root, NULL) < 0)
		return -ENOMEM;
	hash_key_init(&a->key);
	a->relative = config->run.relative_files;
	if (asprintf(&a->cwd, "%s%s", cwd, strcmp(cwd, "/") ? "/" : "") < 0) {
		a->cwd = NULL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_paths; i++) {
		const struct string_list *places = &config->paths[i].places;

		for (size_t j = 1; j < places->n && r == 0; j++)
			r = add_rule(a, places->items[j], places->items[0], why, size);
	}
	if (r == 0)
		*ret = take_ptr(a);
	return r;
}

/* ----------------------------------------------------------------------------------------------------------- mapping */

/* How much of @path the alias takes, or 0. */
static size_t literal_prefix(const char *path, const char *literal)
{
	size_t n = strlen(literal), found = 0;

	for (size_t i = 0; path[i]; i++)
		if ((i == 0 || is_separator(path[i - 1])) && !strncmp(path + i, literal, n) &&
		    is_separator(path[i + n]))
			found = i + n + 1;
	return found;
}

static size_t prefix_of(const struct alias *alias, const char *path)
{
	return alias->glob ? glob_match_prefix(alias->glob, path) : literal_prefix(path, alias->literal);
}

static bool file_exists(const char *path)
{
	static const char *const archives[] = {".zip", ".whl", ".egg", ".pex", ".par"};

	if (access(path, F_OK) == 0)
		return true;
	/* a name in an archive counts if there is the archive */
	for (size_t i = 0; i < ARRAY_SIZE(archives); i++) {
		const char *at = strstr(path, archives[i]);
		_cleanup_free_ char *archive = NULL;

		if (!at || at[4] != separator_of(path))
			continue;
		archive = strndup(path, (size_t)(at + 4 - path));
		if (archive && access(archive, F_OK) == 0)
			return true;
	}
	return false;
}

static int apply(struct path_aliases *a, const struct alias *alias, const char *path, size_t prefix, char **ret)
{
	char from = separator_of(path), to = separator_of(alias->result);
	bool keep_dot = alias->result[0] == '.' && is_separator(alias->result[1]) && alias->result[2];
	char *text;

	if (asprintf(&text, "%s%s", alias->result, path + prefix) < 0)
		return -ENOMEM;
	for (char *s = text; *s; s++)
		if (*s == from)
			*s = to;
	if (!a->relative) {
		_cleanup_free_ char *given = text;
		int r = real_path(a, given, &text);

		if (r < 0)
			return r;
	}
	if (text[0] == '.' && is_separator(text[1]) && !keep_dot)
		memmove(text, text + 2, strlen(text + 2) + 1);
	*ret = text;
	return 0;
}

static bool has_rule(const struct path_aliases *a, const char *pattern)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->aliases[i].original, pattern))
			return true;
	return false;
}

/* With relative names, their first directory becomes a rule. 1: it is one now; 0: it was, or cannot be. */
static int add_relative_rule(struct path_aliases *a, const char *path)
{
	size_t n = strcspn(path, "/\\");
	_cleanup_free_ char *pattern = NULL;
	struct alias *alias;
	int r;

	if (!path[n] || is_absolute(path))
		return 0;
	if (asprintf(&pattern, "*/%.*s", (int)n, path) < 0) {
		pattern = NULL;
		return -ENOMEM;
	}
	if (has_rule(a, pattern))
		return 0;
	r = alias_push(a, &alias);
	if (r < 0)
		return r;
	alias->original = take_ptr(pattern);
	alias->literal = strndup(path, n);
	if (asprintf(&alias->result, "%.*s/", (int)n, path) < 0)
		alias->result = NULL;
	return alias->literal && alias->result ? 1 : -ENOMEM;
}

static int map(struct path_aliases *a, const char *path, char **ret)
{
	size_t n = strlen(a->cwd);
	int r;

	for (size_t i = 0; i < a->n; i++) {
		size_t prefix = prefix_of(&a->aliases[i], path);
		_cleanup_free_ char *mapped = NULL;

		if (!prefix)
			continue;
		r = apply(a, &a->aliases[i], path, prefix, &mapped);
		if (r < 0)
			return r;
		if (file_exists(mapped)) {
			*ret = take_ptr(mapped);
			return 0;
		}
	}
	if (a->relative) {
		if (!strncmp(path, a->cwd, n))
			path += n;
		r = add_relative_rule(a, path);
		if (r != 0)
			return r < 0 ? r : map(a, path, ret);
	}
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

static bool has_path(const void *entry, const void *key)
{
	return !strcmp(((const struct mapping *)entry)->path, key);
}

int path_aliases_map(struct path_aliases *a, const char *path, const char **ret)
{
	uint64_t hash = hash_bytes(&a->key, path, strlen(path));
	struct mapping *m = hashmap_find(&a->known, hash, has_path, path);
	int r = -ENOMEM;

	if (!m) {
		if (a->known.count >= KNOWN_MAX)
			forget_known(a);
		m = calloc(1, sizeof(*m));
		if (m)
			m->path = strdup(path);
		if (m && m->path)
			r = map(a, path, &m->result);
		for (char *s = r == 0 ? m->result : NULL; s && *s; s++)
			if (*s == '\\')
				*s = '/';
		if (r == 0)
			r = hashmap_add(&a->known, hash, m);
		if (r < 0) {
			if (m) {
				free(m->path);
				free(m->result);
			}
			free(m);
			return r;
		}
	}
	*ret = m->result;
	return 0;
}
