/** SQLite on a descriptor that is open already: no path, no locks, no journal, no sync. */
#pragma once

#include "base/cleanup.h"

#include <sqlite3.h>

struct datafile_vfs {
	sqlite3_vfs vfs;
	char name[40];
	int fd;	   /* -1: none yet; nothing may have to be written before there is one */
	int error; /* negative errno of the first system call that failed, or 0 */
};

/**
 * Open the database in @p fd, which stays the caller's and must not be used otherwise, for
 * reading and writing. Set `pragma journal_mode=off` and `temp_store=memory` first: there is no
 * other file. Returns SQLite's code. Call datafile_vfs_close() in each case.
 */
int datafile_vfs_open(struct datafile_vfs *vfs, int fd, sqlite3 **ret) must_check;

/** Close @p db (may be NULL), whose statements are finalised, and end the VFS. */
void datafile_vfs_close(struct datafile_vfs *vfs, sqlite3 *db);
