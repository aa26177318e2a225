/** What is in a data file, for datafile.c and its parts alone. */
#pragma once

#include "data/datafile.h"

#define DATAFILE_SCHEMA_VERSION 7

/** Set `why` of @p file and return @p r. */
int datafile_fail(struct datafile *file, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Make the database of @p rec in the empty file @p fd. Errors as datafile_write(). */
int datafile_sql_write(struct datafile *file, int fd, const struct record *rec) must_check;
