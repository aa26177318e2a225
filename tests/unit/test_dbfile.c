#include "data/dbfile.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

struct fixture {
	char path[64];
	int fd;
	struct dbfile db;
	struct dbtree table, index;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/test_dbfile.XXXXXX");
	f->fd = mkstemp(f->path);
	*state = f;
	return f->fd < 0 ? -1 : 0;
}

static void start(struct fixture *f)
{
	assert_int_equal(ftruncate(f->fd, 0), 0);
	assert_int_equal(dbfile_init(&f->db, f->fd), 0);
	dbtree_init(&f->table, &f->db, false);
	dbtree_init(&f->index, &f->db, true);
}

static void stop(struct fixture *f)
{
	dbtree_deinit(&f->table);
	dbtree_deinit(&f->index);
	dbfile_deinit(&f->db);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = unlink(f->path);

	close(f->fd);
	free(f);
	return r;
}

/* Row @i of a table (name text, n integer, bits blob, unique (name)): names in order, some longer than a page. */
static char *name_of(unsigned int i, size_t size)
{
	char *name = malloc(size + 16);

	snprintf(name, 16, "%08u", i);
	memset(name + 8, 'x', size);
	name[8 + size] = 0;
	return name;
}

static int add(struct fixture *f, unsigned int i, size_t size, int64_t n, const struct lineset *bits)
{
	_cleanup_free_ char *name = name_of(i, size);
	struct dbrow row, entry;
	int r;

	dbrow_init(&row, i + 1);
	dbrow_text(&row, name);
	entry = row;
	dbrow_integer(&row, n);
	dbrow_numbits(&row, bits);
	dbrow_integer(&entry, i + 1);
	r = dbtree_add(&f->table, &row);
	return r < 0 ? r : dbtree_add(&f->index, &entry);
}

static int finish(struct fixture *f)
{
	uint32_t root = 0;
	int r = dbtree_finish(&f->table, &root);

	if (r == 0)
		r = dbfile_add_table(&f->db, "t", root, "CREATE TABLE t (name text, n integer, bits blob, unique (name))");
	if (r == 0)
		r = dbtree_finish(&f->index, &root);
	if (r == 0)
		r = dbfile_add_index(&f->db, "t", 1, root);
	return r < 0 ? r : dbfile_finish(&f->db);
}

static int keep_first(void *arg, int n, char **values, char **names)
{
	(void)n, (void)names;
	snprintf(arg, 200, "%s", values[0] ? values[0] : "NULL");
	return 0;
}

static void assert_sql(const struct fixture *f, const char *sql, const char *expected)
{
	char text[200] = "nothing";
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, keep_first, text, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_string_equal(text, expected);
}

/* Each row is looked for through the index, and compared. */
static void assert_rows(const struct fixture *f, unsigned int n, size_t size, size_t bits)
{
	char number[200];
	sqlite3_stmt *find;
	sqlite3 *db;

	assert_sql(f, "pragma integrity_check", "ok");
	snprintf(number, sizeof(number), "%u", n);
	assert_sql(f, "select count(*) from t", number);
	assert_sql(f, "select count(*) from t indexed by sqlite_autoindex_t_1 where name > ''", number);
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "select rowid, n, length(bits) from t where name = ?", -1, &find, NULL),
			 SQLITE_OK);
	for (unsigned int i = 0; i < n; i++) {
		_cleanup_free_ char *name = name_of(i, size);

		sqlite3_bind_text(find, 1, name, -1, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(find), SQLITE_ROW);
		assert_int_equal(sqlite3_column_int64(find, 0), i + 1);
		assert_int_equal(sqlite3_column_int64(find, 1), i);
		assert_int_equal(sqlite3_column_int64(find, 2), bits);
		sqlite3_reset(find);
	}
	sqlite3_finalize(find);
	sqlite3_close(db);
}

static void fill(struct fixture *f, unsigned int n, size_t size, const struct lineset *bits)
{
	start(f);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(add(f, i, size, i, bits), 0);
	assert_int_equal(finish(f), 0);
	stop(f);
}

/** Trees of one to four levels, and those at whose ends pages are just full, or just begun. */
static void test_sizes(void **state)
{
	static const unsigned int numbers[] = {0, 1, 2, 300, 5000, 200000};
	struct fixture *f = *state;
	struct lineset bits = {0};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		fill(f, numbers[i], 0, &bits);
		assert_rows(f, numbers[i], 0, 0);
	}
	for (unsigned int n = 1; n < 120; n++) {
		fill(f, n, 900, &bits);
		assert_rows(f, n, 900, 0);
	}
	/* four entries a page */
	fill(f, 3000, 980, &bits);
	assert_rows(f, 3000, 980, 0);
}

/** What does not fit in a cell, in tables and in indices, by every few bytes. */
static void test_long_values(void **state)
{
	struct fixture *f = *state;
	struct lineset bits = {0};

	for (size_t size = 400; size < 13000; size += size < 1100 || size > 3900 ? 23 : 300) {
		fill(f, 9, size, &bits);
		assert_rows(f, 9, size, 0);
	}
	for (unsigned int line = 32300; line < 33500; line += 8) {
		assert_int_equal(lineset_add(&bits, line), 0);
		fill(f, 3, 0, &bits);
		assert_rows(f, 3, 0, line / 8 + 1);
	}
	lineset_deinit(&bits);
}

static void test_bits(void **state)
{
	struct fixture *f = *state;
	struct lineset bits = {0};

	for (uint32_t line = 1; line < 80000; line = line * 3 + 1)
		assert_int_equal(lineset_add(&bits, line), 0);
	fill(f, 1, 5000, &bits);
	assert_sql(f, "select hex(substr(bits, 1, 8)) from t", "1220000000010000");
	assert_sql(f, "select hex(substr(bits, length(bits))) from t", "10");
	lineset_deinit(&bits);
}

static void test_integers(void **state)
{
	static const int64_t values[] = {0,	  1,	       -1,	     127,	128,	    -128,     -129,
					 32767,	  -32769,      8388607,	     -8388609,	2147483647, INT64_MIN, 0x7fffffffffff,
					 INT64_MAX, INT64_C(1) << 47, -(INT64_C(1) << 47) - 1};
	struct fixture *f = *state;
	struct lineset bits = {0};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char expected[32];

		start(f);
		assert_int_equal(add(f, 0, 0, values[i], &bits), 0);
		assert_int_equal(finish(f), 0);
		stop(f);
		snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
		assert_sql(f, "select n from t", expected);
		assert_sql(f, "pragma integrity_check", "ok");
	}
}

/** The page in which SQLite's locks are is passed over, in chains and in trees. */
static void test_lock_page(void **state)
{
	struct fixture *f = *state;
	struct lineset bits = {0};

	for (unsigned int before = 1; before < 12; before++) {
		start(f);
		f->db.n_pages = 0x40000000 / DBFILE_PAGE - before;
		f->db.first = f->db.n_pages + 1;
		for (unsigned int i = 0; i < 9; i++)
			assert_int_equal(add(f, i, 9000, i, &bits), 0);
		assert_int_equal(finish(f), 0);
		stop(f);
		assert_sql(f, "select sum(length(name)) from t", "81072");
		assert_sql(f, "select count(*) from t indexed by sqlite_autoindex_t_1 where name > ''", "9");
	}
}

/** It fails wherever the disk is full. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct lineset bits = {0};
	struct rlimit old, limit;
	int r;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (rlim_t size = 0; size < 600000; size += 30000) {
		start(f);
		limit = (struct rlimit){size, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		r = 0;
		for (unsigned int i = 0; i < 100 && r == 0; i++)
			r = add(f, i, 5000, i, &bits);
		if (r == 0)
			r = finish(f);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(r, -EFBIG);
		stop(f);
	}
	signal(SIGXFSZ, SIG_DFL);
}

int main(void)
{
#define fixture_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		fixture_test(test_sizes),
		fixture_test(test_long_values),
		fixture_test(test_bits),
		fixture_test(test_integers),
		fixture_test(test_lock_page),
		fixture_test(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
