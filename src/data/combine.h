/** Several data files made one. */
#pragma once

#include "base/cleanup.h"
#include "config/config.h"

#define COMBINE_WHY_MAX 512

struct combine_options {
	const char *data_file;
	char *const *paths; /* files, and directories to look in; none: the directory of the data file */
	size_t n_paths;
	bool append; /* add to what is in the data file */
	bool keep;   /* do not remove what was combined */
	bool debug;  /* say what is done with each file */
};

struct combine_result {
	size_t combined, skipped, errored; /* files */
};

/**
 * Combine, as coverage.py does (coverage/data.py, combine_parallel_data(), 7.17.3), in memory that does not grow with
 * the number of files. A file that cannot be read is warned of and left. What was combined is removed when the result
 * is in its place, and the same contents twice are read once.
 *
 * Negative: nothing was changed; @p why says why: -ENODATA: there is no file to combine; -ENOENT: a path is not there;
 * -EINVAL: settings, or files of lines and of branches; others are of datafile_write().
 */
int combine(const struct combine_options *options, const struct config *config, struct combine_result *result,
	    char why[COMBINE_WHY_MAX]) must_check;
