/** What is in a data file, for datafile.c and its parts alone. */
#pragma once

#include "data/datafile.h"

#define DATAFILE_SCHEMA_VERSION 7

/** Set `why` of @p file and return @p r. */
int datafile_fail(struct datafile *file, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** A database to be, with its tables, before there is a file. */
struct datafile_draft;

int datafile_draft_new(struct datafile *file, struct datafile_draft **ret) must_check;
/** NULL is accepted. */
void datafile_draft_free(struct datafile_draft *draft);

/** Make the database of @p rec in the empty file @p fd. Errors as datafile_write(); it is of no use afterwards. */
int datafile_sql_write(struct datafile_draft *draft, int fd, const struct record *rec) must_check;
