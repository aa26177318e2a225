/**
 * Sampled lines in a data file: as lines, in the context "sampled", so that coverage.py shows them, and how often each
 * was running, for the report.
 *
 * The interpreter's own library and installed packages are left out, as coverage.py leaves them out by default.
 */
#pragma once

#include <stdbool.h>

#include "sample/profile.h"

/** Say on standard error why the file could not be written, and return the error. */
int sample_data_check(const char *path) must_check;

/** Names that are not absolute are below @p cwd, or left out if that is NULL. Says itself what went wrong. */
int sample_data_write(const struct profile *p, const char *path, bool append, const char *cwd) must_check;
