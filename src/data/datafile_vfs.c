/*
 * SQLite opens paths, and resolves every symbolic link in them itself, so that /proc/self/fd/N
 * becomes an ordinary path again: a file without a name cannot be reached, and whoever may write
 * in a directory above could lead root elsewhere. Hence this VFS, which knows one descriptor.
 */
#include "data/datafile_vfs.h"

#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

struct vfs_file {
	sqlite3_file base;
	struct datafile_vfs *vfs;
};

static struct datafile_vfs *vfs_of(sqlite3_file *file)
{
	return ((struct vfs_file *)file)->vfs;
}

static int failed(struct datafile_vfs *vfs, int code)
{
	if (!vfs->error)
		vfs->error = -errno;
	return code;
}

static int file_close(sqlite3_file *file)
{
	return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 offset)
{
	struct datafile_vfs *vfs = vfs_of(file);
	size_t done = 0, want = (size_t)n;

	while (done < want) {
		ssize_t r = vfs->fd < 0 ? 0 : pread(vfs->fd, (char *)buf + done, want - done, offset + (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return failed(vfs, SQLITE_IOERR_READ);
		if (r == 0) {
			memset((char *)buf + done, 0, want - done);
			return SQLITE_IOERR_SHORT_READ;
		}
		done += (size_t)r;
	}
	return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *buf, int n, sqlite3_int64 offset)
{
	struct datafile_vfs *vfs = vfs_of(file);
	size_t done = 0, want = (size_t)n;

	while (done < want) {
		ssize_t r = pwrite(vfs->fd, (const char *)buf + done, want - done, offset + (off_t)done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return failed(vfs, errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
		done += (size_t)r;
	}
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	if (ftruncate(vfs_of(file)->fd, size) < 0)
		return failed(vfs_of(file), SQLITE_IOERR_TRUNCATE);
	return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	struct stat st = {0};

	if (vfs_of(file)->fd >= 0 && fstat(vfs_of(file)->fd, &st) < 0)
		return failed(vfs_of(file), SQLITE_IOERR_FSTAT);
	*ret = st.st_size;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
	return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *file, int *ret)
{
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
	return 4096;
}

static int file_characteristics(sqlite3_file *file)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *ret, int flags, int *out_flags)
{
	struct vfs_file *file = (struct vfs_file *)ret;

	file->base.pMethods = NULL;
	if (!(flags & SQLITE_OPEN_MAIN_DB))
		return SQLITE_CANTOPEN;
	file->base.pMethods = &file_methods;
	file->vfs = vfs->pAppData;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	sqlite3_snprintf(size, ret, "%s", name);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *ret)
{
	ssize_t r = getrandom(ret, (size_t)n, GRND_NONBLOCK);

	return r < 0 ? 0 : (int)r;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
	usleep((useconds_t)microseconds);
	return microseconds;
}

static int vfs_current_time(sqlite3_vfs *vfs, double *ret)
{
	*ret = 2440587.5 + (double)time(NULL) / 86400; /* the Julian day of the epoch */
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *ret)
{
	return -((struct datafile_vfs *)vfs->pAppData)->error;
}

int datafile_vfs_open(struct datafile_vfs *vfs, int fd, sqlite3 **ret)
{
	int r;

	*vfs = (struct datafile_vfs){.fd = fd};
	*ret = NULL;
	/* SQLite keeps VFSes by name; that of this one is its address */
	snprintf(vfs->name, sizeof(vfs->name), "pycov-trace-%p", (void *)vfs);
	vfs->vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct vfs_file),
		.mxPathname = 64,
		.zName = vfs->name,
		.pAppData = vfs,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_pathname,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_current_time,
		.xGetLastError = vfs_last_error,
	};
	r = sqlite3_vfs_register(&vfs->vfs, 0);
	if (r != SQLITE_OK)
		return r;
	return sqlite3_open_v2("data", ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			       vfs->name);
}

void datafile_vfs_close(struct datafile_vfs *vfs, sqlite3 *db)
{
	sqlite3_close(db);
	sqlite3_vfs_unregister(&vfs->vfs);
}
