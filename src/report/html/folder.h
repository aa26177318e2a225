/**
 * The folder of an HTML report. Files that an earlier report of ours left are replaced or removed; others stay.
 *
 * A page is put in place as a whole, by rename(2), and never through a symbolic link.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

#define FOLDER_WHY_MAX 1024

struct folder {
	int fd;
	char *path;
	bool was_empty;
	char **written; /* names of the pages of this report */
	size_t n_written;
};

/**
 * Make the folder where it is missing, and open it. -EEXIST: it has an index page that no coverage report wrote; other
 * errors are those of the system calls. @p why says which. Call folder_deinit() in each case.
 */
int folder_init(struct folder *folder, const char *path, char why[FOLDER_WHY_MAX]) must_check;

int folder_write(struct folder *folder, const char *name, const char *text, size_t n,
		 char why[FOLDER_WHY_MAX]) must_check;

/** Remove the pages of earlier reports that this one has not written. What cannot be removed stays. */
void folder_tidy(struct folder *folder);

void folder_deinit(struct folder *folder);
#define _cleanup_folder_ _cleanup_(folder_deinit)
