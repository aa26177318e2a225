#include "report/html/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_MAX 2048

static const char *const index_names[] = {"index.html", "function_index.html", "class_index.html"};

/* By what the head of a page says who wrote it. */
static const char own_mark[] = "<meta name=\"generator\" content=\"pycov-trace ";
static const char coverage_mark[] = "favicon_32";

static int fail(const struct folder *folder, int r, const char *name, char why[FOLDER_WHY_MAX])
{
	snprintf(why, FOLDER_WHY_MAX, "%s%s%s: %s", folder->path ? folder->path : "", name ? "/" : "", name ? name : "",
		 strerror(-r));
	return r;
}

/* True if the head of file @name has one of the marks, or there is nothing in it to be lost. */
static bool has_mark(const struct folder *folder, const char *name, bool coverage_too)
{
	_cleanup_close_ int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char head[HEAD_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (n <= 0)
		return n == 0;
	return memmem(head, (size_t)n, own_mark, sizeof(own_mark) - 1) ||
	       (coverage_too && memmem(head, (size_t)n, coverage_mark, sizeof(coverage_mark) - 1));
}

static int check_index(const struct folder *folder, char why[FOLDER_WHY_MAX])
{
	for (size_t i = 0; i < ARRAY_SIZE(index_names); i++) {
		if (faccessat(folder->fd, index_names[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0 ||
		    has_mark(folder, index_names[i], true))
			continue;
		snprintf(why, FOLDER_WHY_MAX, "%s/%s is no coverage report: remove it, or choose another directory",
			 folder->path, index_names[i]);
		return -EEXIST;
	}
	return 0;
}

static int make_path(const char *path)
{
	_cleanup_free_ char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = part; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* Call @fn with each name in the folder. */
static int for_names(struct folder *folder, void (*fn)(struct folder *folder, const char *name))
{
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			fn(folder, entry->d_name);
	return 0;
}

static void note_name(struct folder *folder, const char *name)
{
	folder->was_empty = false;
}

int folder_init(struct folder *folder, const char *path, char why[FOLDER_WHY_MAX])
{
	int r;

	*folder = (struct folder){.fd = -1, .path = strdup(path), .was_empty = true};
	if (!folder->path)
		return fail(folder, -ENOMEM, NULL, why);
	if (!*path)
		return fail(folder, -ENOENT, NULL, why);
	r = make_path(path);
	if (r < 0)
		return fail(folder, r, NULL, why);
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0)
		return fail(folder, -errno, NULL, why);
	r = for_names(folder, note_name);
	return r < 0 ? fail(folder, r, NULL, why) : check_index(folder, why);
}

/* ------------------------------------------------------------------------------------------------------- writing */

static int remember(struct folder *folder, const char *name)
{
	size_t n = folder->n_written;

	if (!(n & (n - 1))) { /* room is doubled at powers of two */
		char **names = realloc(folder->written, 2 * (n + 1) * sizeof(*names));

		if (!names)
			return -ENOMEM;
		folder->written = names;
	}
	folder->written[n] = strdup(name);
	if (!folder->written[n])
		return -ENOMEM;
	folder->n_written++;
	return 0;
}

static int write_all(int fd, const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(fd, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		n -= (size_t)done;
	}
	return 0;
}

#define TEMPORARY ".pycov-trace.tmp."

int folder_write(struct folder *folder, const char *name, const char *text, size_t n, char why[FOLDER_WHY_MAX])
{
	_cleanup_close_ int fd = -1;
	char temporary[64];
	int r;

	snprintf(temporary, sizeof(temporary), TEMPORARY "%d", getpid());
	unlinkat(folder->fd, temporary, 0);
	fd = openat(folder->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return fail(folder, -errno, NULL, why);
	r = write_all(fd, text, n);
	if (r == 0 && renameat(folder->fd, temporary, folder->fd, name) < 0)
		r = -errno;
	if (r == 0)
		r = remember(folder, name);
	if (r < 0) {
		unlinkat(folder->fd, temporary, 0);
		return fail(folder, r, name, why);
	}
	return 0;
}

/* --------------------------------------------------------------------------------------------------------- tidying */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "z_", 16 hexadecimal digits, "_": the pages of sources. */
static bool is_page_name(const char *name)
{
	return !strncmp(name, "z_", 2) && strspn(name + 2, "0123456789abcdef") == 16 && name[18] == '_';
}

static void remove_if_old(struct folder *folder, const char *name)
{
	if (!strncmp(name, TEMPORARY, strlen(TEMPORARY)))
		unlinkat(folder->fd, name, 0);
	if (!is_page_name(name) || !has_mark(folder, name, false))
		return;
	if (!bsearch(&name, folder->written, folder->n_written, sizeof(*folder->written), compare_names))
		unlinkat(folder->fd, name, 0);
}

void folder_tidy(struct folder *folder)
{
	if (folder->n_written)
		qsort(folder->written, folder->n_written, sizeof(*folder->written), compare_names);
	(void)!for_names(folder, remove_if_old);
}

void folder_deinit(struct folder *folder)
{
	if (folder->fd >= 0)
		close(folder->fd);
	for (size_t i = 0; i < folder->n_written; i++)
		free(folder->written[i]);
	free(folder->written);
	free(folder->path);
	*folder = (struct folder){.fd = -1};
}
