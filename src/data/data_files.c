#include "data/data_files.h"

#include <string.h>
#include <sys/stat.h>

#include "config/config.h"

int data_file_absolute(const char *path, char **ret)
{
	_cleanup_free_ char *cwd = *path == '/' ? strdup("") : getcwd(NULL, 0), *full = NULL;
	char *to;

	if (!cwd || asprintf(&full, "%s/%s", cwd, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	to = full;
	for (const char *from = full; *from;) {
		size_t slashes = strspn(from, "/"), n = strcspn(from + slashes, "/");

		from += slashes;
		if (n == 2 && !strncmp(from, "..", 2)) {
			while (to > full && *--to != '/')
				;
		} else if (n && !(n == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	if (to == full)
		*to++ = '/';
	*to = '\0';
	*ret = take_ptr(full);
	return 0;
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), len = strlen(end);

	return n >= len && !strcmp(name + n - len, end);
}

static int add_directory(struct string_list *list, const char *path, const char *local)
{
	_cleanup_free_ char *dir = NULL;
	_cleanup_closedir_ DIR *stream = NULL;
	size_t n = strlen(local);
	const struct dirent *entry;
	int r = data_file_absolute(path, &dir);

	if (r < 0)
		return r;
	stream = opendir(dir);
	while (stream && r == 0 && (entry = readdir(stream))) {
		_cleanup_free_ char *full = NULL;

		if (strncmp(entry->d_name, local, n) || entry->d_name[n] != '.' || ends_in(entry->d_name, "-journal"))
			continue;
		if (asprintf(&full, "%s/%s", strcmp(dir, "/") ? dir : "", entry->d_name) < 0) {
			full = NULL;
			return -ENOMEM;
		}
		r = string_list_push(list, full);
	}
	return r;
}

static int add_path(struct string_list *list, const char *path, const char *local)
{
	_cleanup_free_ char *full = NULL;
	struct stat st;
	int r;

	if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return -ENOENT;
	if (S_ISDIR(st.st_mode))
		return add_directory(list, path, local);
	r = data_file_absolute(path, &full);
	if (r == 0 && !ends_in(full, "-journal"))
		r = string_list_push(list, full);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int data_files_find(const char *data_file, char *const *paths, size_t n_paths, struct string_list *ret,
		    const char **missing)
{
	_cleanup_free_ char *full = NULL;
	struct string_list list = {0};
	char *local;
	int r = data_file_absolute(data_file, &full);

	if (r < 0)
		return r;
	local = strrchr(full, '/');
	*local++ = '\0';
	if (n_paths == 0)
		r = add_directory(&list, *full ? full : "/", local);
	for (size_t i = 0; i < n_paths && r == 0; i++) {
		*missing = paths[i];
		r = add_path(&list, paths[i], local);
	}
	if (r < 0) {
		string_list_deinit(&list);
		return r;
	}
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), by_name);
	*ret = list;
	return 0;
}
