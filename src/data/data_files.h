/** The data files of a run in parallel mode: FILE.SUFFIX, beside FILE or in other directories. */
#pragma once

#include "base/cleanup.h"
#include "base/string_list.h"

/** The absolute name of @p path, without `.`, `..` and double slashes; links stay. -ENOMEM. */
int data_file_absolute(const char *path, char **ret) must_check;

/**
 * Yield absolute names, sorted by their bytes: of the files among @p paths, and of all in the directories among them
 * whose names begin with that of @p data_file and a dot. Without paths, the directory is that of @p data_file.
 * Journals of SQLite are passed over. As coverage.py (coverage/data.py, combinable_files(), 7.17.3).
 *
 * -ENOENT: @p *missing of the paths is neither a file nor a directory. -ENOMEM.
 */
int data_files_find(const char *data_file, char *const *paths, size_t n_paths, struct string_list *ret,
		    const char **missing) must_check;
