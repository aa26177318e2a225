#include "sample/output.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const struct profile_format folded = {
	.name = "folded",
	.summary = "a line for each stack, with its samples",
	.suffix = "txt",
	.write = format_folded,
};

static const struct profile_format flamegraph = {
	.name = "flamegraph",
	.summary = "flame graph, an SVG for the browser",
	.suffix = "svg",
	.by_default_file = true,
	.write = format_flamegraph,
};

static const struct profile_format speedscope = {
	.name = "speedscope",
	.summary = "JSON for speedscope.app, with the order of samples",
	.suffix = "speedscope.json",
	.by_default_file = true,
	.keep_order = true,
	.write = format_speedscope,
};

static const struct profile_format pprof = {
	.name = "pprof",
	.summary = "gzipped protobuf for `go tool pprof`",
	.suffix = "pb.gz",
	.binary = true,
	.by_default_file = true,
	.write = format_pprof,
};

static const struct profile_format gecko = {
	.name = "gecko",
	.summary = "JSON for profiler.firefox.com, with the order of samples",
	.suffix = "gecko.json",
	.by_default_file = true,
	.keep_order = true,
	.write = format_gecko,
};

static const struct profile_format table = {
	.name = "table",
	.summary = "text: functions and lines by the time they took",
	.suffix = "txt",
	.write = format_table,
};

const struct profile_format *const profile_formats[] = {
	&flamegraph, &folded, &speedscope, &pprof, &gecko, &table, NULL,
};

const struct profile_format *profile_format_find(const char *name)
{
	for (size_t i = 0; profile_formats[i]; i++)
		if (strcmp(profile_formats[i]->name, name) == 0)
			return profile_formats[i];
	return NULL;
}

char *profile_default_name(const struct profile_format *format, pid_t pid, int64_t unix_seconds)
{
	time_t seconds = unix_seconds;
	char when[32], *name;
	struct tm tm;

	if (!localtime_r(&seconds, &tm))
		return NULL;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	return asprintf(&name, "pycov-trace-%d-%s.%s", (int)pid, when, format->suffix) < 0 ? NULL : name;
}

/* What was written last may only fail here: on a full disk, over NFS. */
static int finish(FILE *out)
{
	int r = 0;

	errno = 0;
	if (fflush(out) == EOF || ferror(out))
		r = errno ? -errno : -EIO;
	return r;
}

static int write_stream(const struct profile *p, const struct profile_format *format, const struct profile_view *view,
			int fd)
{
	_cleanup_fclose_ FILE *out = fdopen(fd, "w");
	int r;

	if (!out) {
		r = -errno;
		close(fd);
		return r;
	}
	r = format->write(p, view, out);
	if (r < 0)
		return r;
	r = finish(out);
	if (r == 0 && fclose(take_ptr(out)) == EOF)
		r = -errno;
	return r;
}

static int write_in_place(const struct profile *p, const struct profile_format *format, const struct profile_view *view,
			  const char *path)
{
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY) : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? -errno : write_stream(p, format, view, fd);
}

/* A new file beside @p target; its name in *ret. */
static int open_beside(const char *target, mode_t mode, char **ret)
{
	for (unsigned i = 0;; i++) {
		_cleanup_free_ char *name = NULL;
		int fd;

		if (asprintf(&name, "%s.%d-%u~", target, (int)getpid(), i) < 0)
			return -ENOMEM;
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0) {
			*ret = take_ptr(name);
			return fd;
		}
		if (errno != EEXIST || i == 100)
			return -errno;
	}
}

/* A file that is there keeps its mode; a link stays, and what it points to is replaced. */
static int write_replacing(const struct profile *p, const struct profile_format *format,
			   const struct profile_view *view, const char *path, const struct stat *old)
{
	_cleanup_free_ char *target = old ? realpath(path, NULL) : strdup(path), *temporary = NULL;
	int fd, r = 0;

	if (!target)
		return -errno;
	fd = open_beside(target, 0666, &temporary);
	if (fd < 0)
		return fd;
	if (old && fchmod(fd, old->st_mode & 0777) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	else
		r = write_stream(p, format, view, fd);
	if (r == 0 && rename(temporary, target) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static bool is_standard_output(const char *path)
{
	return !path || strcmp(path, "-") == 0;
}

int profile_write(const struct profile *p, const struct profile_format *format, const struct profile_view *view,
		  const char *path)
{
	struct stat st;

	if (is_standard_output(path))
		return write_in_place(p, format, view, NULL);
	if (stat(path, &st) < 0)
		return errno == ENOENT ? write_replacing(p, format, view, path, NULL) : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return write_in_place(p, format, view, path);
	return write_replacing(p, format, view, path, &st);
}

static int directory_check(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *slash;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = '\0';
	return access(slash ? copy : ".", W_OK | X_OK) < 0 ? -errno : 0;
}

int profile_output_check(const char *path)
{
	struct stat st;

	if (is_standard_output(path))
		return 0;
	if (!*path)
		return -ENOENT;
	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return -errno;
		return path[strlen(path) - 1] == '/' ? -EISDIR : directory_check(path);
	}
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode))
		return directory_check(path);
	return access(path, W_OK) < 0 ? -errno : 0;
}
