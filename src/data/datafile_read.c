/*
 * A data file may come from anybody. SQLite copes with damaged pages; what remains is a schema that
 * makes a plain select run code: views, virtual tables, generated columns. So only real tables are
 * read, untrusted functions are off, and the work is bounded by the size of the file.
 */
#include "base/bisect.h"
#include "base/utf8.h"
#include "data/datafile_sql.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define BUSY_MILLISECONDS 2000
#define BLOB_MAX ((int)((LINESET_MAX >> 3) + 1 + 65536)) /* numbits of the highest line, a row */
#define STEPS_PER_CALL 10000
#define CALLS_FREE 1000
#define BYTES_PER_CALL 1024

/* What a row of `file` or `context` is, for the other tables, which name it by its id. */
struct named {
	sqlite3_int64 id;
	void *entry; /* of a file: struct record_file, of a context: its name, owned */
};

struct named_list {
	struct named *items; /* by ascending id */
	size_t n, room;
};

struct reader {
	struct datafile *file;
	sqlite3 *db;
	struct record *rec;
	int64_t calls_left;
	bool arcs_welcome, tracers_welcome;
	unsigned int tables; /* a bit for each enum table */
	struct named_list files, contexts;
};

static void close_db(sqlite3 **db)
{
	sqlite3_close(*db);
}

static void finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

static int reader_result(struct reader *rd, int code)
{
	int r = -EBADMSG;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		r = -EBUSY;
		break;
	case SQLITE_NOMEM:
		r = -ENOMEM;
		break;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		r = -EACCES;
		break;
	case SQLITE_IOERR:
		r = code == SQLITE_IOERR_SHORT_READ ? -EBADMSG : -EIO;
		break;
	}
	return datafile_fail(rd->file, r, "%s", rd->db ? sqlite3_errmsg(rd->db) : sqlite3_errstr(code));
}

static int reader_corrupt(struct reader *rd, const char *what)
{
	return datafile_fail(rd->file, -EBADMSG, "damaged data: %s", what);
}

static int count_down(void *arg)
{
	struct reader *rd = arg;

	return --rd->calls_left < 0;
}

typedef int (*row_fn)(struct reader *rd, sqlite3_stmt *row);

/** Call @p fn for every row of @p sql. */
static int for_rows(struct reader *rd, const char *sql, row_fn fn)
{
	_cleanup_(finalize) sqlite3_stmt *statement = NULL;
	int code, r;

	r = reader_result(rd, sqlite3_prepare_v2(rd->db, sql, -1, &statement, NULL));
	if (r < 0)
		return r;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		r = fn(rd, statement);
		if (r != 0)
			return r;
	}
	return reader_result(rd, code);
}

/** 1 for a real table, which has pages of its own, 0 for anything else or none. */
static int row_found(struct reader *rd, sqlite3_stmt *row)
{
	return 1;
}

/** A text without NULs, UTF-8, good until the next row; NULL if it is something else. */
static const char *column_text(sqlite3_stmt *row, int column)
{
	const char *text;

	if (sqlite3_column_type(row, column) != SQLITE_TEXT)
		return NULL;
	text = (const char *)sqlite3_column_text(row, column);
	if (!text || strlen(text) != (size_t)sqlite3_column_bytes(row, column) || !utf8_valid(text))
		return NULL;
	return text;
}

/* The tables that are looked for; those above TABLE_NEEDED may be missing. */
enum table {
	TABLE_SCHEMA,
	TABLE_META,
	TABLE_FILE,
	TABLE_CONTEXT,
	TABLE_LINE_BITS,
	TABLE_TRACER,
	TABLE_NEEDED = TABLE_TRACER,
	TABLE_ARC,
	TABLE_EXECUTABLE,
	TABLE_FUNCTION,
	TABLE_SAMPLES,
};

static const char *const table_names[] = {
	[TABLE_SCHEMA] = "coverage_schema",
	[TABLE_META] = "meta",
	[TABLE_FILE] = "file",
	[TABLE_CONTEXT] = "context",
	[TABLE_LINE_BITS] = "line_bits",
	[TABLE_TRACER] = "tracer",
	[TABLE_ARC] = "arc",
	[TABLE_EXECUTABLE] = "pycov_trace_executable",
	[TABLE_FUNCTION] = "pycov_trace_function",
	[TABLE_SAMPLES] = "pycov_trace_samples",
};

static int read_table(struct reader *rd, sqlite3_stmt *row)
{
	const char *name = column_text(row, 0);

	for (size_t i = 0; name && i < ARRAY_SIZE(table_names); i++)
		if (!strcasecmp(name, table_names[i]))
			rd->tables |= 1u << i;
	return 0;
}

static bool has_table(const struct reader *rd, enum table table)
{
	return rd->tables & 1u << table;
}

/* Real tables only, which have pages of their own. */
static int check_tables(struct reader *rd)
{
	int r = for_rows(rd, "select name from sqlite_master where type = 'table' and rootpage > 0", read_table);

	if (r < 0)
		return r;
	for (enum table i = 0; i <= TABLE_NEEDED; i++)
		if (!has_table(rd, i))
			return datafile_fail(rd->file, -EBADMSG, "no table %s: not a data file", table_names[i]);
	return 0;
}

static int read_version(struct reader *rd, sqlite3_stmt *row)
{
	sqlite3_int64 version = sqlite3_column_int64(row, 0);

	if (version == DATAFILE_SCHEMA_VERSION)
		return 1;
	return datafile_fail(rd->file, -EPROTO, "schema %lld of the data, not %d", (long long)version,
			     DATAFILE_SCHEMA_VERSION);
}

static int check_version(struct reader *rd)
{
	int r = for_rows(rd, "select version from coverage_schema limit 1", read_version);

	if (r < 0)
		return r;
	return r == 0 ? reader_corrupt(rd, "no schema version") : 0;
}

enum { KIND_LINES = 1, KIND_ARCS };

static int read_has_arcs(struct reader *rd, sqlite3_stmt *row)
{
	const char *value = column_text(row, 0);

	return value && strcmp(value, "0") ? KIND_ARCS : KIND_LINES;
}

/* 1: the data is arcs. Without a word on it, what there is counts. */
static int find_kind(struct reader *rd)
{
	int r = for_rows(rd, "select value from meta where key = 'has_arcs'", read_has_arcs);

	if (r < 0)
		return r;
	if (r > 0)
		return r == KIND_ARCS;
	return has_table(rd, TABLE_ARC) ? for_rows(rd, "select 1 from arc limit 1", row_found) : 0;
}

/* coverage.py writes either, and takes neither for the other. */
static int check_kind(struct reader *rd)
{
	int r = find_kind(rd), other;

	if (r < 0)
		return r;
	if (r > 0 && !rd->arcs_welcome)
		return datafile_fail(rd->file, -ENOTSUP, "it holds branches, not lines");
	if (r > 0 && !has_table(rd, TABLE_ARC))
		return datafile_fail(rd->file, -EBADMSG, "no table arc: not a data file");
	rd->rec->has_arcs = r > 0;
	if (r == 0 && !has_table(rd, TABLE_ARC))
		return 0;
	other = for_rows(rd, r > 0 ? "select 1 from line_bits limit 1" : "select 1 from arc limit 1", row_found);
	return other > 0 ? reader_corrupt(rd, "both lines and branches") : other;
}

/* Rows come in the order of their ids. */
static int add_named(struct reader *rd, struct named_list *list, sqlite3_int64 id, void *entry)
{
	if (list->n && list->items[list->n - 1].id >= id)
		return reader_corrupt(rd, "an id twice");
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct named *items = reallocarray(list->items, room, sizeof(*items));

		if (!items)
			return reader_result(rd, SQLITE_NOMEM);
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = (struct named){id, entry};
	return 0;
}

static void *find_named(const struct named_list *list, sqlite3_int64 id)
{
	size_t at = BISECT(i, list->n, list->items[i].id < id);

	return at < list->n && list->items[at].id == id ? list->items[at].entry : NULL;
}

static void reader_deinit(struct reader *rd)
{
	for (size_t i = 0; i < rd->contexts.n; i++)
		free(rd->contexts.items[i].entry);
	free(rd->contexts.items);
	free(rd->files.items);
}

static int check_tracers(struct reader *rd)
{
	int r = rd->tracers_welcome ? 0 : for_rows(rd, "select 1 from tracer where tracer != ''", row_found);

	return r > 0 ? datafile_fail(rd->file, -ENOTSUP, "it holds files of coverage plugins") : r;
}

/** The name of the context with that id; one that is not in its table is the default one. */
static const char *column_context(const struct reader *rd, sqlite3_stmt *row, int column)
{
	return find_named(&rd->contexts, sqlite3_column_int64(row, column)) ?: "";
}

/** The file with that id; NULL: its table has none, and the row is passed over. */
static struct record_file *column_file(const struct reader *rd, sqlite3_stmt *row, int column)
{
	return find_named(&rd->files, sqlite3_column_int64(row, column));
}

static int column_numbits(struct reader *rd, sqlite3_stmt *row, int column, struct lineset *set)
{
	const void *blob = sqlite3_column_blob(row, column);
	int r;

	/* coverage.py writes a blob, and reads whatever SQLite holds; an empty one is NULL here */
	if (sqlite3_column_type(row, column) != SQLITE_BLOB)
		return reader_corrupt(rd, "line numbers that are none");
	r = lineset_or_numbits(set, 0, blob, (size_t)sqlite3_column_bytes(row, column));
	if (r == -ERANGE)
		return reader_corrupt(rd, "line numbers above 2^31");
	return r < 0 ? reader_result(rd, SQLITE_NOMEM) : 0;
}

static int read_file(struct reader *rd, sqlite3_stmt *row)
{
	const char *path = column_text(row, 1);
	struct record_file *file;

	if (!path || !*path)
		return reader_corrupt(rd, "a path that is none");
	if (record_file_get(rd->rec, path, &file) < 0)
		return reader_result(rd, SQLITE_NOMEM);
	return add_named(rd, &rd->files, sqlite3_column_int64(row, 0), file);
}

static int read_context(struct reader *rd, sqlite3_stmt *row)
{
	const char *name = column_text(row, 1);
	char *copy;
	int r;

	if (!name)
		return reader_corrupt(rd, "a context that is none");
	copy = strdup(name);
	r = copy ? add_named(rd, &rd->contexts, sqlite3_column_int64(row, 0), copy) : reader_result(rd, SQLITE_NOMEM);
	if (r < 0)
		free(copy);
	return r;
}

static int read_lines(struct reader *rd, sqlite3_stmt *row)
{
	struct record_file *file = column_file(rd, row, 0);
	struct lineset *lines;

	if (!file)
		return 0;
	if (record_file_lines(rd->rec, file, column_context(rd, row, 1), &lines) < 0)
		return reader_result(rd, SQLITE_NOMEM);
	return column_numbits(rd, row, 2, lines);
}

static int read_arc(struct reader *rd, sqlite3_stmt *row)
{
	sqlite3_int64 from = sqlite3_column_int64(row, 2), to = sqlite3_column_int64(row, 3);
	struct record_file *file = column_file(rd, row, 0);
	int r;

	if (!file)
		return 0;
	if (from > INT32_MAX || from < -INT32_MAX || to > INT32_MAX || to < -INT32_MAX)
		return reader_corrupt(rd, "line numbers above 2^31");
	r = record_file_add_arc(rd->rec, file, column_context(rd, row, 1),
				(struct record_arc){(int32_t)from, (int32_t)to});
	return r < 0 ? reader_result(rd, SQLITE_NOMEM) : 0;
}

static int read_tracer(struct reader *rd, sqlite3_stmt *row)
{
	struct record_file *file = column_file(rd, row, 0);
	const char *tracer = column_text(row, 1);

	if (!tracer)
		return reader_corrupt(rd, "a plugin that is none");
	if (!file || file->tracer)
		return 0;
	file->tracer = strdup(tracer);
	return file->tracer ? 0 : reader_result(rd, SQLITE_NOMEM);
}

static int read_executable(struct reader *rd, sqlite3_stmt *row)
{
	struct record_file *file = column_file(rd, row, 0);

	return file ? column_numbits(rd, row, 1, &file->executable) : 0;
}

static int read_function(struct reader *rd, sqlite3_stmt *row)
{
	_cleanup_(lineset_deinit) struct lineset lines = {0};
	sqlite3_int64 first_line = sqlite3_column_int64(row, 2);
	struct record_file *file = column_file(rd, row, 0);
	const char *name = column_text(row, 1);
	int r;

	if (!file)
		return 0;
	if (!name || first_line < 0 || first_line > LINESET_MAX)
		return reader_corrupt(rd, "a function that is none");
	r = column_numbits(rd, row, 3, &lines);
	if (r < 0)
		return r;
	if (record_file_add_function(rd->rec, file, name, (uint32_t)first_line, &lines) < 0)
		return reader_result(rd, SQLITE_NOMEM);
	return 0;
}

static int read_sample(struct reader *rd, sqlite3_stmt *row)
{
	sqlite3_int64 line = sqlite3_column_int64(row, 1), samples = sqlite3_column_int64(row, 2);
	struct record_file *file = column_file(rd, row, 0);
	int r;

	if (!file)
		return 0;
	if (line < 1 || line > LINESET_MAX || samples < 0)
		return reader_corrupt(rd, "samples of a line that is none");
	r = record_file_add_samples(file, (uint32_t)line, (uint64_t)samples);
	return r < 0 ? reader_result(rd, SQLITE_NOMEM) : 0;
}

static int read_all(struct reader *rd)
{
	int r = for_rows(rd, "select id, path from file order by id", read_file);

	if (r == 0)
		r = for_rows(rd, "select id, context from context order by id", read_context);
	if (r == 0 && rd->rec->has_arcs)
		r = for_rows(rd, "select file_id, context_id, fromno, tono from arc", read_arc);
	else if (r == 0)
		r = for_rows(rd, "select file_id, context_id, numbits from line_bits", read_lines);
	if (r == 0 && rd->tracers_welcome)
		r = for_rows(rd, "select file_id, tracer from tracer where tracer != ''", read_tracer);
	if (r == 0 && has_table(rd, TABLE_EXECUTABLE))
		r = for_rows(rd, "select file_id, numbits from pycov_trace_executable", read_executable);
	if (r == 0 && has_table(rd, TABLE_FUNCTION))
		r = for_rows(rd, "select file_id, name, first_line, numbits from pycov_trace_function", read_function);
	if (r == 0 && has_table(rd, TABLE_SAMPLES))
		r = for_rows(rd, "select file_id, line, samples from pycov_trace_samples order by line", read_sample);
	return r;
}

static void distrust(struct reader *rd, off_t size)
{
	sqlite3_db_config(rd->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(rd->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(rd->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(rd->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(rd->db, SQLITE_LIMIT_LENGTH, BLOB_MAX);
	sqlite3_limit(rd->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_busy_timeout(rd->db, BUSY_MILLISECONDS);
	rd->calls_left = CALLS_FREE + size / BYTES_PER_CALL;
	sqlite3_progress_handler(rd->db, STEPS_PER_CALL, count_down, rd);
}

/** 1 if there is something to read, 0 if the file is empty. */
static int check_readable(struct datafile *file, off_t *size)
{
	_cleanup_close_ int fd = openat(file->dirfd, file->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return datafile_fail(file, r, "%s", strerror(-r));
	}
	if (S_ISDIR(st.st_mode))
		return datafile_fail(file, -EISDIR, "%s", strerror(EISDIR));
	if (!S_ISREG(st.st_mode))
		return datafile_fail(file, -ENOTSUP, "not a regular file");
	*size = st.st_size;
	return st.st_size > 0;
}

/* The caller closes rd->db in any case. */
static int open_database(struct reader *rd, off_t size)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "/proc/self/fd/%d/%s", rd->file->dirfd, rd->file->name) < 0) {
		path = NULL;
		return reader_result(rd, SQLITE_NOMEM);
	}
	r = reader_result(rd, sqlite3_open_v2(path, &rd->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL));
	if (r < 0)
		return r;
	distrust(rd, size);
	/* one snapshot for all that follows */
	r = reader_result(rd, sqlite3_exec(rd->db, "begin", NULL, NULL, NULL));
	return r < 0 ? r : check_tables(rd);
}

static int read_database(struct reader *rd, off_t size)
{
	int r = open_database(rd, size);

	if (r == 0)
		r = check_version(rd);
	if (r == 0)
		r = check_kind(rd);
	if (r == 0)
		r = check_tracers(rd);
	if (r == 0)
		r = read_all(rd);
	close_db(&rd->db);
	return r;
}

static int read_data(struct datafile *file, struct record *rec, bool arcs_welcome, bool tracers_welcome)
{
	_cleanup_record_ struct record found;
	struct reader rd = {
		.file = file, .rec = &found, .arcs_welcome = arcs_welcome, .tracers_welcome = tracers_welcome};
	off_t size = 0;
	int r;

	record_init(&found);
	r = check_readable(file, &size);
	if (r <= 0)
		return r;
	r = read_database(&rd, size);
	reader_deinit(&rd);
	if (r < 0)
		return r;
	if (rec->files.count && found.files.count && rec->has_arcs != found.has_arcs)
		return datafile_fail(file, -ENOTSUP, "branches and lines do not go together");
	if (!rec->files.count && !rec->contexts.count) {
		struct record empty = *rec;

		*rec = found;
		found = empty;
	} else if (record_merge(rec, &found) < 0)
		return reader_result(&(struct reader){.file = file}, SQLITE_NOMEM);
	return 0;
}

int datafile_read(struct datafile *file, struct record *rec)
{
	return read_data(file, rec, false, false);
}

int datafile_read_arcs(struct datafile *file, struct record *rec)
{
	return read_data(file, rec, true, false);
}

int datafile_read_any(struct datafile *file, struct record *rec)
{
	return read_data(file, rec, true, true);
}

static int row_ours(struct reader *rd, sqlite3_stmt *row)
{
	const char *version = column_text(row, 0);

	(void)rd;
	return version && !strncmp(version, "pycov-trace ", strlen("pycov-trace "));
}

bool datafile_is_ours(struct datafile *file)
{
	struct reader rd = {.file = file};
	off_t size = 0;
	bool ret;

	if (check_readable(file, &size) <= 0)
		return false;
	ret = open_database(&rd, size) == 0 &&
	      for_rows(&rd, "select value from meta where key = 'version'", row_ours) == 1;
	close_db(&rd.db);
	return ret;
}
