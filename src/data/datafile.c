/* Where the data file is and how it gets there; datafile_write.c and _read.c know what is in it. */
#include "data/datafile.h"

#include "base/log.h"
#include "data/datafile_sql.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define TEMP_PREFIX ".pycov-trace-" /* not `.coverage*`, which `coverage combine` takes up */
#define TEMP_SUFFIX ".tmp"
#define TEMP_RANDOM 6
#define TEMP_NAME_SIZE (sizeof(TEMP_PREFIX) + TEMP_RANDOM + sizeof(TEMP_SUFFIX) - 1)
#define TEMP_STALE_SECONDS 60
#define TEMP_TRIES 100

/* What SQLite, and so coverage.py, creates files with (SQLITE_DEFAULT_FILE_PERMISSIONS). */
#define DATAFILE_MODE 0644

int datafile_fail(struct datafile *file, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(file->why, sizeof(file->why), fmt, ap);
	va_end(ap);
	return r;
}

static int fail_errno(struct datafile *file, int r)
{
	return datafile_fail(file, r, "%s", strerror(-r));
}

/* Of a directory that is gone the kernel says this or that. */
static int fail_write(struct datafile *file, int r)
{
	struct stat dir;

	if (fstat(file->dirfd, &dir) == 0 && dir.st_nlink == 0)
		return datafile_fail(file, -ENOENT, "its directory has been removed");
	return fail_errno(file, r);
}

static int open_dir(struct datafile *file, const char *path, size_t len)
{
	_cleanup_free_ char *dir = len ? strndup(path, len) : strdup(".");

	if (!dir)
		return fail_errno(file, -ENOMEM);
	file->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dirfd < 0) {
		int r = -errno;

		return datafile_fail(file, r, "the directory %s: %s", dir, strerror(-r));
	}
	return 0;
}

int datafile_init(struct datafile *file, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	*file = (struct datafile){.dirfd = -1, .path = strdup(path), .name = strdup(name)};
	if (!file->path || !file->name)
		return fail_errno(file, -ENOMEM);
	if (!*path)
		return datafile_fail(file, -EINVAL, "an empty name");
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return fail_errno(file, -EISDIR);
	return open_dir(file, path, (size_t)(name - path));
}

int datafile_init_suffixed(struct datafile *file, const struct datafile *of, const char *suffix)
{
	*file = (struct datafile){.dirfd = fcntl(of->dirfd, F_DUPFD_CLOEXEC, 3)};
	if (file->dirfd < 0)
		return fail_errno(file, -errno);
	if (asprintf(&file->name, "%s%s", of->name, suffix) < 0)
		file->name = NULL;
	if (asprintf(&file->path, "%s%s", of->path, suffix) < 0)
		file->path = NULL;
	return file->name && file->path ? 0 : fail_errno(file, -ENOMEM);
}

/*
 * Freeing the blocks of the old file takes the kernel milliseconds. It does so when the last descriptor is closed, and
 * that is when nobody waits for us any more.
 */
static void let_go_replaced(struct datafile *file)
{
	if (file->replaced > 0)
		close(file->replaced);
	file->replaced = 0;
}

static void hold_replaced(struct datafile *file)
{
	let_go_replaced(file);
	file->replaced = openat(file->dirfd, file->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

void datafile_deinit(struct datafile *file)
{
	cleanup_closep(&file->dirfd);
	let_go_replaced(file);
	datafile_draft_free(take_ptr(file->draft));
	file->dirfd = -1;
	free(take_ptr(file->name));
	free(take_ptr(file->path));
}

/** A random name in @p name, of TEMP_NAME_SIZE bytes. */
static void temp_name(char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char random[TEMP_RANDOM];
	char *at = stpcpy(name, TEMP_PREFIX);

	if (getrandom(random, sizeof(random), 0) < 0)
		memset(random, getpid() & 0xff, sizeof(random));
	for (size_t i = 0; i < TEMP_RANDOM; i++)
		*at++ = letters[random[i] % 32];
	strcpy(at, TEMP_SUFFIX);
}

/** A file that is being made: without a name yet (name[0] is NUL), or with a temporary one. */
struct temp_file {
	int dirfd, fd;
	char name[TEMP_NAME_SIZE];
};

static void temp_file_deinit(struct temp_file *temp)
{
	if (temp->name[0])
		unlinkat(temp->dirfd, temp->name, 0);
	cleanup_closep(&temp->fd);
}

static int temp_file_create_named(struct temp_file *temp)
{
	for (int i = 0; i < TEMP_TRIES; i++) {
		temp_name(temp->name);
		temp->fd = openat(temp->dirfd, temp->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				  DATAFILE_MODE);
		if (temp->fd >= 0) {
			/* says that we are alive to whoever clears up; where it cannot, age does */
			(void)!flock(temp->fd, LOCK_EX | LOCK_NB);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	temp->name[0] = '\0';
	return -errno;
}

static int temp_file_create(struct temp_file *temp, int dirfd)
{
	*temp = (struct temp_file){.dirfd = dirfd};
	temp->fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, DATAFILE_MODE);
	if (temp->fd >= 0)
		return 0;
	/* the ways in which file systems and kernels say that they do not have it (open(2)) */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
		return -errno;
	return temp_file_create_named(temp);
}

/** Give the file the name @p name, which must not be there yet. */
static int link_as(struct temp_file *temp, const char *name)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", temp->fd);
	return linkat(AT_FDCWD, self, temp->dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/** Give a file that has none a temporary name: there is no call that links over another file. */
static int temp_file_name(struct temp_file *temp)
{
	char name[TEMP_NAME_SIZE];
	int r = -EEXIST;

	for (int i = 0; i < TEMP_TRIES && r == -EEXIST; i++) {
		temp_name(name);
		r = link_as(temp, name);
	}
	if (r == 0)
		strcpy(temp->name, name);
	return r;
}

/*
 * A coverage.py that was killed leaves a journal behind, which SQLite would roll back into any
 * file of that name, also a new one. Gone before the new file is there, it harms nobody.
 */
static void remove_journals(int dirfd, const char *name)
{
	static const char *const suffixes[] = {"-journal", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		char journal[NAME_MAX + 1];

		if (snprintf(journal, sizeof(journal), "%s%s", name, suffixes[i]) <= NAME_MAX)
			unlinkat(dirfd, journal, 0);
	}
}

/** Put the file in the place of @p name; it has no other name then. */
static int temp_file_rename(struct temp_file *temp, const char *name)
{
	struct stat st;
	int r;

	if (!temp->name[0] && fstatat(temp->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		remove_journals(temp->dirfd, name);
		r = link_as(temp, name);
		if (r != -EEXIST)
			return r;
	}
	if (!temp->name[0]) {
		r = temp_file_name(temp);
		if (r < 0)
			return r;
	}
	remove_journals(temp->dirfd, name);
	if (renameat(temp->dirfd, temp->name, temp->dirfd, name) < 0)
		return -errno;
	temp->name[0] = '\0';
	return 0;
}

/* Where writing is put off (NFS, FUSE), what went wrong is told when a descriptor is closed. */
static int temp_file_flush(struct temp_file *temp)
{
	int fd = fcntl(temp->fd, F_DUPFD_CLOEXEC, 3);

	return fd < 0 || close(fd) < 0 ? -errno : 0;
}

static void give_up_draft(struct datafile *file)
{
	datafile_draft_free(take_ptr(file->draft));
}

void datafile_prepare(struct datafile *file, struct record *rec)
{
	if (file->draft && rec && !datafile_draft_serves(file->draft, rec))
		give_up_draft(file);
	if (!file->draft && datafile_draft_new(file, &file->draft) < 0)
		file->draft = NULL;
	if (file->draft && rec && datafile_draft_add(file->draft, rec) < 0)
		give_up_draft(file);
}

static int write_database(struct datafile *file, int fd, struct record *rec)
{
	struct datafile_draft *draft;
	int r = 0;

	if (file->draft && !datafile_draft_serves(file->draft, rec))
		give_up_draft(file);
	draft = take_ptr(file->draft);
	if (!draft)
		r = datafile_draft_new(file, &draft);
	if (r == 0)
		r = datafile_sql_write(draft, fd, rec);
	datafile_draft_free(draft);
	return r;
}

int datafile_write(struct datafile *file, struct record *rec, bool sync)
{
	_cleanup_(temp_file_deinit) struct temp_file temp;
	int r;

	r = temp_file_create(&temp, file->dirfd);
	if (r < 0)
		return fail_write(file, r);
	r = write_database(file, temp.fd, rec);
	if (r < 0)
		return r;
	r = temp_file_flush(&temp);
	if (r < 0)
		return fail_errno(file, r);
	if (sync && fsync(temp.fd) < 0)
		return fail_errno(file, -errno);
	hold_replaced(file);
	r = temp_file_rename(&temp, file->name);
	if (r < 0)
		return fail_write(file, r);
	if (sync && fsync(file->dirfd) < 0)
		return fail_errno(file, -errno);
	return 0;
}

static int check_replaceable(struct datafile *file)
{
	struct stat st, dir;

	if (fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail_errno(file, -errno);
	if (S_ISDIR(st.st_mode))
		return fail_errno(file, -EISDIR);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return datafile_fail(file, -ENOTSUP, "not a regular file");
	if (fstat(file->dirfd, &dir) < 0)
		return fail_errno(file, -errno);
	if ((dir.st_mode & S_ISVTX) && geteuid() != 0 && st.st_uid != geteuid() && dir.st_uid != geteuid())
		return datafile_fail(file, -EPERM, "another user's file in a sticky directory");
	return 0;
}

static bool is_temp_name(const char *name)
{
	return strlen(name) == TEMP_NAME_SIZE - 1 && !strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) &&
	       !strcmp(name + strlen(TEMP_PREFIX) + TEMP_RANDOM, TEMP_SUFFIX);
}

/** Remove a temporary file of ours whose writer is gone: it is unlocked, and was not just made. */
static void remove_if_stale(int dirfd, const char *name)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return;
	if (time(NULL) - st.st_mtime < TEMP_STALE_SECONDS || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	log_debug("removing %s of a writer that was killed", name);
	unlinkat(dirfd, name, 0);
}

static void remove_stale(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		cleanup_closep(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_temp_name(entry->d_name))
			remove_if_stale(dirfd, entry->d_name);
}

int datafile_check_writable(struct datafile *file)
{
	_cleanup_(temp_file_deinit) struct temp_file temp = {.fd = -1};
	int r;

	r = check_replaceable(file);
	if (r < 0)
		return r;
	remove_stale(file->dirfd);
	r = temp_file_create(&temp, file->dirfd);
	if (r < 0)
		return fail_errno(file, r);
	return 0;
}
