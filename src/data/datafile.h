/**
 * The data file: a record as coverage.py's SQLite file, schema 7 (coverage/sqldata.py, 7.17), with
 * lines or arcs.
 *
 * Beside coverage.py's seven tables there are some of our own, which it passes over (tried with
 * 6.5.0 and 7.17.3: report, html, xml, combine):
 *
 *     pycov_trace_executable (file_id, numbits)             lines with code, as the interpreter
 *                                                           that ran the file had them
 *     pycov_trace_function (file_id, name, first_line, numbits)  the same per code object
 *     pycov_trace_samples (file_id, line, samples)          how often sampling found a line running, or
 *                                                           calling what is not measured; only if there are any
 *
 * A reader sees the old file or the new one, never a mixture: the file is made without a name
 * (O_TMPFILE) and put in place by rename(2). Nothing is left behind if we are killed, except
 * between two system calls. All work is relative to a directory that datafile_init() opened, and
 * no symbolic link is followed in it but for reading, so that root may write in a folder of
 * another user. A link in place of the file is replaced, as coverage.py does.
 *
 * The program must ignore SIGXFSZ if there may be a limit of file size.
 */
#pragma once

#include "base/cleanup.h"
#include "data/record.h"

#include <stdbool.h>

#define DATAFILE_WHY_MAX 256

struct datafile {
	int dirfd;
	int replaced;		      /* descriptor of the file that was replaced last, or 0 */
	char *name;		      /* in that directory */
	char *path;		      /* as given, for messages */
	struct datafile_draft *draft; /* see datafile_prepare() */
	char why[DATAFILE_WHY_MAX];   /* why the last call failed: "PATH: WHY" makes a message */
};

/**
 * Open the directory of @p path. -ENOENT, -ENOTDIR, -EACCES: of the directory. -EISDIR: @p path
 * ends in a slash, or in `.` or `..`; -EINVAL: it is empty. Call datafile_deinit() in each case.
 */
int datafile_init(struct datafile *file, const char *path) must_check;

/** The file of the same directory whose name is that of @p of with @p suffix behind it. */
int datafile_init_suffixed(struct datafile *file, const struct datafile *of, const char *suffix) must_check;

void datafile_deinit(struct datafile *file);
#define _cleanup_datafile_ _cleanup_(datafile_deinit)

/**
 * Find out, before a program starts, whether the file can be written when it has ended. Removes
 * what killed writers have left in the directory.
 *
 * -EACCES, -EPERM (another user's file in a sticky directory), -EROFS, -ENOSPC: of the directory.
 * -EISDIR: the file is a directory; -ENOTSUP: a fifo, a socket or a device. -ENAMETOOLONG.
 */
int datafile_check_writable(struct datafile *file) must_check;

/**
 * Do now what the next write would do first: half of what a small file takes, and, of a record that is to be written
 * then, most of what a large one takes. @p rec may be NULL, and grow until then. Whether it works or not, the write
 * works as well.
 */
void datafile_prepare(struct datafile *file, struct record *rec);

/**
 * Write @p rec, which notes what is in the file, in place of what is there. With @p sync, return when the data is on the disk.
 * Files whose path is not UTF-8 are left out: coverage.py could not read the whole data file.
 *
 * -ENOSPC, -EDQUOT, -EFBIG, -EIO, -EACCES, ...: from the system call that failed; -EILSEQ: the
 * name of a context is not UTF-8; -ENOMEM. The old file is then as it was.
 */
int datafile_write(struct datafile *file, struct record *rec, bool sync) must_check;

/**
 * Add what is in the file to @p rec, which is untouched on failure.
 *
 * -ENOENT: no such file. -EBADMSG: not a data file, or damaged. -EPROTO: another schema.
 * -ENOTSUP: it has arcs or plugin tracers, or is no regular file; -EISDIR. -EBUSY: somebody
 * writes to it. -EACCES, -EIO, -ENOMEM. An empty file (0 bytes) has nothing in it.
 */
int datafile_read(struct datafile *file, struct record *rec) must_check;

/** The same, but arcs are welcome: `has_arcs` of @p rec tells. -ENOTSUP: @p rec has lines without arcs, or the
 *  other way round. */
int datafile_read_arcs(struct datafile *file, struct record *rec) must_check;

/** The same, and files that plugins of coverage.py traced are welcome, too: `tracer` of a file tells. */
int datafile_read_any(struct datafile *file, struct record *rec) must_check;

/** Was it made by pycov-trace? False as well if it is not there, or cannot be read. */
bool datafile_is_ours(struct datafile *file);
