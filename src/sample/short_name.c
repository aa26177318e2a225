#include "sample/short_name.h"

#include <string.h>

/* Where the name of a module begins in the path of one that is installed, or NULL. */
static const char *installed(const char *path)
{
	static const char *const marks[] = {"/site-packages/", "/dist-packages/"};
	const char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		for (const char *at = path; (at = strstr(at, marks[i])); at++)
			if (!found || at + strlen(marks[i]) > found)
				found = at + strlen(marks[i]);
	for (const char *at = path; !found && (at = strstr(at, "/python3")); at++) {
		const char *end = at + 8 + strspn(at + 8, ".0123456789t");
		bool lib = (at - path >= 4 && !strncmp(at - 4, "/lib", 4)) ||
			   (at - path >= 6 && !strncmp(at - 6, "/lib64", 6));

		if (lib && *end == '/')
			found = end + 1;
	}
	return found && *found ? found : NULL;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static bool is_own(const struct profile_function *f, const char *path)
{
	return !f->native && path[0] == '/' && !installed(path);
}

/* Length of the directory that all files of one's own are in, its slash included. */
static size_t common_directory(const struct profile *p)
{
	const char *first = NULL;
	size_t len = 0;

	for (uint32_t i = 0; i < p->n_functions; i++) {
		const char *path = profile_function_file(p, i);
		size_t same = 0;

		if (!is_own(&p->functions[i], path))
			continue;
		if (!first) {
			first = path;
			len = (size_t)(last_part(path) - path);
		}
		while (same < len && path[same] == first[same])
			same++;
		while (same > 0 && first[same - 1] != '/')
			same--;
		len = same;
	}
	return len;
}

const char **short_names_new(const struct profile *p)
{
	const char **names = calloc(p->n_functions + 1, sizeof(*names));
	size_t common = common_directory(p);

	if (!names)
		return NULL;
	for (uint32_t i = 0; i < p->n_functions; i++) {
		const char *path = profile_function_file(p, i), *found = installed(path);

		if (p->functions[i].native)
			names[i] = last_part(path);
		else if (found)
			names[i] = found;
		else
			names[i] = path[0] == '/' && path[common] ? path + common : path;
	}
	return names;
}

size_t short_name_package(const char *short_name)
{
	const char *slash = strrchr(short_name, '/');

	return slash ? (size_t)(slash - short_name) : strlen(short_name);
}
