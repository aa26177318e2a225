/**
 * An SQLite database that is written from its first byte to its last, without SQLite: rows come in the order of their
 * numbers, entries of an index in that of the index, so each page is made once and nothing is looked up. For what a whole
 * data file takes SQLite needs eight times as long, and whoever waits for the command's end waits for it.
 *
 * The format: https://www.sqlite.org/fileformat2.html
 *
 *     dbfile_init(&db, fd);
 *     dbtree_init(&tree, &db, false);      several may be open at once
 *     dbrow_init(&row, 1); dbrow_text(&row, "x"); dbtree_add(&tree, &row); ...
 *     dbtree_finish(&tree, &root);
 *     dbfile_add_table(&db, "t", root, "CREATE TABLE t (x text)");
 *     dbfile_finish(&db);
 */
#pragma once

#include "base/cleanup.h"
#include "base/lineset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DBFILE_PAGE 4096
#define DBROW_COLUMNS 6

struct dbfile {
	int fd;
	uint32_t n_pages;      /* that have a number */
	uint32_t first;	       /* number of the first page in the window */
	unsigned char *window; /* pages that are not written yet */
	unsigned char *schema; /* the first page, which comes last */
	size_t schema_cells, schema_from;
	uint32_t n_objects;
};

/** @p fd is an empty file, and stays the caller's. -ENOMEM. Call dbfile_deinit() in each case. */
int dbfile_init(struct dbfile *db, int fd) must_check;
void dbfile_deinit(struct dbfile *db);

/** Say what is at @p root; @p sql NULL: the index that a `unique` in table @p table makes of itself, number @p number. */
int dbfile_add_table(struct dbfile *db, const char *table, uint32_t root, const char *sql) must_check;
int dbfile_add_index(struct dbfile *db, const char *table, unsigned int number, uint32_t root) must_check;

/** Write what is left. This, and what adds: -ENOSPC, -EFBIG, -EIO, ...: of the system call that failed; -ENOMEM. */
int dbfile_finish(struct dbfile *db) must_check;

/** A row of a table, or an entry of an index, which has the row's number as its last column. */
struct dbrow {
	int64_t number;
	unsigned int n;
	size_t head_size, size; /* of both parts, in bytes */
	uint64_t types[DBROW_COLUMNS];
	struct dbvalue {
		const void *data;
		const struct lineset *lines; /* numbits, which are not in memory */
		size_t size;
		unsigned char integer[8];
	} values[DBROW_COLUMNS];
};

void dbrow_init(struct dbrow *row, int64_t number);
/** What they point to is not copied. */
void dbrow_null(struct dbrow *row);
void dbrow_integer(struct dbrow *row, int64_t value);
void dbrow_text(struct dbrow *row, const char *text);
void dbrow_numbits(struct dbrow *row, const struct lineset *lines);

/** A page of the level above: where it is, and the cell that parts it from the next. */
struct dbchild {
	uint32_t page;
	uint32_t at, size;
};

struct dblevel {
	struct dbchild *children;
	size_t n, room;
	unsigned char *cells;
	size_t size, cells_room;
};

struct dbtree {
	struct dbfile *db;
	bool is_index;
	int64_t last; /* row that was added */
	struct dblevel leaves;
	unsigned int n;	   /* cells in `page` */
	size_t from, size; /* where they begin, and the length of the last */
	unsigned char page[DBFILE_PAGE];
};

void dbtree_init(struct dbtree *tree, struct dbfile *db, bool is_index);
void dbtree_deinit(struct dbtree *tree);
#define _cleanup_dbtree_ _cleanup_(dbtree_deinit)

/** Rows in ascending order of their numbers, entries in that of their columns. */
int dbtree_add(struct dbtree *tree, const struct dbrow *row) must_check;

/** Nothing more comes: @p root is the number of its first page. */
int dbtree_finish(struct dbtree *tree, uint32_t *root) must_check;
