/** What is in a data file, for datafile.c and its parts alone. */
#pragma once

#include "data/datafile.h"

#define DATAFILE_SCHEMA_VERSION 7

/** Set `why` of @p file and return @p r. */
int datafile_fail(struct datafile *file, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** A database to be, with its tables and what is known by now, in memory, before there is a file. */
struct datafile_draft;

int datafile_draft_new(struct datafile *file, struct datafile_draft **ret) must_check;
/** NULL is accepted. */
void datafile_draft_free(struct datafile_draft *draft);

/** Put in what will hardly change: files, and their functions and executable lines. */
int datafile_draft_add(struct datafile_draft *draft, struct record *rec) must_check;
/** False if something of another record, or of what @p rec was before record_deinit(), is in it. */
bool datafile_draft_serves(const struct datafile_draft *draft, const struct record *rec);

/** Make the database of @p rec in the empty file @p fd. Errors as datafile_write(); it is of no use afterwards. */
int datafile_sql_write(struct datafile_draft *draft, int fd, struct record *rec) must_check;
