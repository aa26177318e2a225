#include "base/log.h"
#include "base/utf8.h"
#include "data/datafile_sql.h"
#include "data/datafile_vfs.h"

#include <string.h>

#define NUMBITS_CHUNK 65536

#define DRAFT_MAX (32u << 20)

/* The file is private until it is complete: no journal, no locks, nothing to wait for. There is none yet, to which pages
 * could be moved. */
static const char prepare_sql[] =
	"pragma page_size=4096;"
	"pragma cache_spill=off;"
	"pragma journal_mode=off;"
	"pragma synchronous=off;"
	"pragma temp_store=memory;"
	"begin;";

/* Tables, columns and keys as in coverage/sqldata.py, then ours. */
static const char schema_sql[] =
	"create table coverage_schema (version integer);"
	"create table meta (key text, value text, unique (key));"
	"create table file (id integer primary key, path text, unique (path));"
	"create table context (id integer primary key, context text, unique (context));"
	"create table line_bits (file_id integer, context_id integer, numbits blob,"
	" foreign key (file_id) references file (id),"
	" foreign key (context_id) references context (id),"
	" unique (file_id, context_id));"
	"create table arc (file_id integer, context_id integer, fromno integer, tono integer,"
	" foreign key (file_id) references file (id),"
	" foreign key (context_id) references context (id),"
	" unique (file_id, context_id, fromno, tono));"
	"create table tracer (file_id integer primary key, tracer text,"
	" foreign key (file_id) references file (id));"
	"create table pycov_trace_executable (file_id integer primary key, numbits blob);"
	"create table pycov_trace_function (file_id integer, name text, first_line integer,"
	" numbits blob);"
	"insert into coverage_schema values (7);"
	"insert into meta values ('version', 'pycov-trace " PYCOV_TRACE_VERSION "');";

_Static_assert(DATAFILE_SCHEMA_VERSION == 7, "stands in schema_sql");

enum statement {
	INSERT_FILE,
	INSERT_CONTEXT,
	INSERT_LINES,
	INSERT_ARC,
	INSERT_EXECUTABLE,
	INSERT_FUNCTION,
	INSERT_SAMPLES,
	INSERT_TRACER,
	N_STATEMENTS,
};

static const char *const statement_sql[N_STATEMENTS] = {
	[INSERT_FILE] = "insert into file values (?, ?)",
	[INSERT_CONTEXT] = "insert into context values (?, ?)",
	[INSERT_LINES] = "insert into line_bits values (?, ?, ?)",
	[INSERT_ARC] = "insert or ignore into arc values (?, ?, ?, ?)",
	[INSERT_EXECUTABLE] = "insert or replace into pycov_trace_executable values (?, ?)",
	[INSERT_TRACER] = "insert into tracer values (?, ?)",
	[INSERT_FUNCTION] =
		"insert or replace into pycov_trace_function (file_id, name, first_line, numbits, rowid)"
		" values (?, ?, ?, ?, ?)",
	[INSERT_SAMPLES] = "insert into pycov_trace_samples values (?, ?, ?)",
};

/* Only where something was sampled. */
static const char samples_sql[] =
	"create table if not exists pycov_trace_samples"
	" (file_id integer, line integer, samples integer,"
	" unique (file_id, line));";

struct datafile_draft {
	struct datafile *file;
	struct datafile_vfs vfs;
	sqlite3 *db;
	sqlite3_stmt *statements[N_STATEMENTS];
	sqlite3_int64 *context_ids; /* row of a context, by its id in the record */
	const struct record *rec;   /* what something is in it of; NULL: of none yet */
	uint32_t number;	    /* among the drafts that were begun with it */
	size_t size;		    /* of what is in it, about */
	sqlite3_int64 last_id;	    /* of a file */
};

static void writer_deinit(struct datafile_draft *w)
{
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(w->statements[i]);
	datafile_vfs_close(&w->vfs, w->db);
	free(w->context_ids);
}

/** The errno of what SQLite says: that of the system call if one failed. */
static int writer_result(struct datafile_draft *w, int code)
{
	int r = -EIO;

	if (code == SQLITE_OK || code == SQLITE_DONE)
		return 0;
	if (w->vfs.error)
		return datafile_fail(w->file, w->vfs.error, "%s", strerror(-w->vfs.error));
	if ((code & 0xff) == SQLITE_NOMEM)
		r = -ENOMEM;
	else if ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_TOOBIG)
		r = -EFBIG;
	return datafile_fail(w->file, r, "SQLite: %s", w->db ? sqlite3_errmsg(w->db) : sqlite3_errstr(code));
}

static int writer_exec(struct datafile_draft *w, const char *sql)
{
	return writer_result(w, sqlite3_exec(w->db, sql, NULL, NULL, NULL));
}

/* Prepared when first needed: most data files need two or three of them. */
static int writer_statement(struct datafile_draft *w, enum statement which, sqlite3_stmt **ret)
{
	int r = 0;

	if (!w->statements[which])
		r = writer_result(w, sqlite3_prepare_v3(w->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
							&w->statements[which], NULL));
	*ret = w->statements[which];
	return r;
}

static int writer_step(struct datafile_draft *w, sqlite3_stmt *statement)
{
	int r = writer_result(w, sqlite3_step(statement));

	sqlite3_reset(statement);
	return r;
}

static int insert_text(struct datafile_draft *w, enum statement which, sqlite3_int64 id, const char *text)
{
	sqlite3_stmt *insert;
	int r;

	r = writer_statement(w, which, &insert);
	if (r < 0)
		return r;
	sqlite3_bind_int64(insert, 1, id);
	sqlite3_bind_text(insert, 2, text, -1, SQLITE_STATIC);
	return writer_step(w, insert);
}

/** Fill the blob that the last insert made with the numbits of @p set, piece by piece. */
static int fill_numbits(struct datafile_draft *w, const char *table, const struct lineset *set)
{
	_cleanup_free_ char *chunk = malloc(NUMBITS_CHUNK);
	size_t size = lineset_numbits_size(set);
	sqlite3_blob *blob = NULL;
	int code;

	if (!chunk)
		return writer_result(w, SQLITE_NOMEM);
	code = sqlite3_blob_open(w->db, "main", table, "numbits", sqlite3_last_insert_rowid(w->db), 1, &blob);
	for (size_t at = 0; code == SQLITE_OK && at < size; at += NUMBITS_CHUNK) {
		size_t n = size - at < NUMBITS_CHUNK ? size - at : NUMBITS_CHUNK;

		lineset_numbits_read(set, at, chunk, n);
		code = sqlite3_blob_write(blob, chunk, (int)n, (int)at);
	}
	if (code == SQLITE_OK)
		return writer_result(w, sqlite3_blob_close(blob));
	sqlite3_blob_close(blob);
	return writer_result(w, code);
}

/** Is what @p drafted tells of in this draft? */
static bool is_in(const struct datafile_draft *w, const struct record_draft *drafted)
{
	return w->rec && drafted->draft == w->number;
}

static bool has_lines(const struct datafile_draft *w, const struct record_draft *drafted, const struct lineset *lines)
{
	return is_in(w, drafted) && drafted->lines == lines->count;
}

/** Bind the numbits of @p set to parameter @p at of @p insert, run it, and see to large ones. */
static int insert_numbits(struct datafile_draft *w, sqlite3_stmt *insert, int at, const char *table,
			  const struct lineset *set)
{
	size_t size = lineset_numbits_size(set);
	char small[4096];
	int r;

	if (size <= sizeof(small)) {
		lineset_numbits_read(set, 0, small, size);
		sqlite3_bind_blob(insert, at, small, (int)size, SQLITE_STATIC);
		r = writer_step(w, insert);
		sqlite3_bind_null(insert, at);
		return r;
	}
	sqlite3_bind_zeroblob64(insert, at, size);
	r = writer_step(w, insert);
	return r < 0 ? r : fill_numbits(w, table, set);
}

static int write_contexts(struct datafile_draft *w, const struct record *rec)
{
	_cleanup_free_ struct record_context **contexts = NULL;
	sqlite3_int64 id = 1;
	size_t n;
	int r;

	r = record_sorted_contexts(rec, &contexts, &n);
	if (r < 0)
		return writer_result(w, SQLITE_NOMEM);
	w->context_ids = calloc(n + 1, sizeof(*w->context_ids));
	if (!w->context_ids)
		return writer_result(w, SQLITE_NOMEM);
	/* the default context is row 1, whether anything ran in it or not; it sorts first */
	r = insert_text(w, INSERT_CONTEXT, 1, "");
	for (size_t i = 0; i < n && r == 0; i++) {
		if (!utf8_valid(contexts[i]->name))
			return datafile_fail(w->file, -EILSEQ, "a context's name is not UTF-8");
		if (contexts[i]->name[0])
			r = insert_text(w, INSERT_CONTEXT, ++id, contexts[i]->name);
		w->context_ids[contexts[i]->id] = id;
	}
	return r;
}

static int write_lines(struct datafile_draft *w, sqlite3_int64 id, const struct record_lines *lines)
{
	sqlite3_stmt *insert;
	int r;

	if (!lines->lines.count)
		return 0;
	r = writer_statement(w, INSERT_LINES, &insert);
	if (r < 0)
		return r;
	sqlite3_bind_int64(insert, 1, id);
	sqlite3_bind_int64(insert, 2, w->context_ids[lines->context->id]);
	return insert_numbits(w, insert, 3, "line_bits", &lines->lines);
}

static int write_arcs(struct datafile_draft *w, sqlite3_int64 id, const struct record_lines *lines)
{
	sqlite3_stmt *insert;
	int r = writer_statement(w, INSERT_ARC, &insert);

	for (size_t i = 0; i < lines->n_arcs && r == 0; i++) {
		sqlite3_bind_int64(insert, 1, id);
		sqlite3_bind_int64(insert, 2, w->context_ids[lines->context->id]);
		sqlite3_bind_int64(insert, 3, lines->arcs[i].from);
		sqlite3_bind_int64(insert, 4, lines->arcs[i].to);
		r = writer_step(w, insert);
	}
	return r;
}

static int write_executable(struct datafile_draft *w, sqlite3_int64 id, const struct lineset *lines)
{
	sqlite3_stmt *insert;
	int r;

	if (!lines->count)
		return 0;
	r = writer_statement(w, INSERT_EXECUTABLE, &insert);
	if (r < 0)
		return r;
	sqlite3_bind_int64(insert, 1, id);
	return insert_numbits(w, insert, 2, "pycov_trace_executable", lines);
}

static int write_function(struct datafile_draft *w, sqlite3_int64 id, struct record_function *function)
{
	sqlite3_stmt *insert;
	int r;

	r = writer_statement(w, INSERT_FUNCTION, &insert);
	if (r < 0)
		return r;
	sqlite3_bind_int64(insert, 1, id);
	sqlite3_bind_text(insert, 2, function->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(insert, 3, function->first_line);
	if (is_in(w, &function->drafted))
		sqlite3_bind_int64(insert, 5, function->drafted.row);
	else
		sqlite3_bind_null(insert, 5);
	r = insert_numbits(w, insert, 4, "pycov_trace_function", &function->executable);
	if (r < 0)
		return r;
	if (!is_in(w, &function->drafted))
		function->drafted.row = sqlite3_last_insert_rowid(w->db);
	function->drafted.draft = w->number;
	function->drafted.lines = function->executable.count;
	w->size += strlen(function->name) + lineset_numbits_size(&function->executable) + sizeof(*function);
	return 0;
}

static bool lacks_functions(const struct datafile_draft *w, const struct record_file *file)
{
	for (size_t i = 0; i < file->functions.n_slots; i++) {
		const struct record_function *function = file->functions.slots[i].entry;

		if (function && !has_lines(w, &function->drafted, &function->executable))
			return true;
	}
	return false;
}

static int write_functions(struct datafile_draft *w, sqlite3_int64 id, const struct record_file *file)
{
	_cleanup_free_ struct record_function **functions = NULL;
	size_t n;
	int r;

	if (!lacks_functions(w, file))
		return 0;
	if (record_sorted_functions(file, &functions, &n) < 0)
		return writer_result(w, SQLITE_NOMEM);
	for (size_t i = 0; i < n; i++) {
		if (!utf8_valid(functions[i]->name) || has_lines(w, &functions[i]->drafted, &functions[i]->executable))
			continue;
		r = write_function(w, id, functions[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_samples(struct datafile_draft *w, sqlite3_int64 id, const struct record_file *file)
{
	sqlite3_stmt *insert;
	int r;

	if (!file->n_samples)
		return 0;
	r = writer_exec(w, samples_sql);
	if (r == 0)
		r = writer_statement(w, INSERT_SAMPLES, &insert);
	for (size_t i = 0; i < file->n_samples && r == 0; i++) {
		sqlite3_bind_int64(insert, 1, id);
		sqlite3_bind_int64(insert, 2, file->samples[i].line);
		sqlite3_bind_int64(insert, 3, (sqlite3_int64)file->samples[i].samples);
		r = writer_step(w, insert);
	}
	return r;
}

/* Put in what is not in it yet of what will hardly change: the file, its functions and executable lines. */
static int draft_file(struct datafile_draft *w, struct record_file *file)
{
	struct record_draft *drafted = &file->drafted;
	int r = 0;

	if (!is_in(w, drafted)) {
		r = insert_text(w, INSERT_FILE, w->last_id + 1, file->path);
		if (r < 0)
			return r;
		*drafted = (struct record_draft){.draft = w->number, .row = ++w->last_id};
		w->size += strlen(file->path) + sizeof(*file);
	}
	if (!has_lines(w, drafted, &file->executable)) {
		r = write_executable(w, drafted->row, &file->executable);
		drafted->lines = file->executable.count;
		w->size += lineset_numbits_size(&file->executable);
	}
	return r < 0 ? r : write_functions(w, drafted->row, file);
}

static int write_file(struct datafile_draft *w, struct record_file *file, bool has_arcs)
{
	int r = draft_file(w, file);
	sqlite3_int64 id = file->drafted.row;

	if (r == 0 && file->tracer)
		r = insert_text(w, INSERT_TRACER, id, file->tracer);
	for (size_t i = 0; i < file->n_lines && r == 0; i++)
		r = has_arcs ? write_arcs(w, id, &file->lines[i]) : write_lines(w, id, &file->lines[i]);
	return r < 0 ? r : write_samples(w, id, file);
}

static int write_files(struct datafile_draft *w, const struct record *rec)
{
	_cleanup_free_ struct record_file **files = NULL;
	size_t n;

	if (record_sorted_files(rec, &files, &n) < 0)
		return writer_result(w, SQLITE_NOMEM);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (!utf8_valid(files[i]->path)) {
			log_debug("left out, not UTF-8: %s", files[i]->path);
			continue;
		}
		r = write_file(w, files[i], rec->has_arcs);
		if (r < 0)
			return r;
	}
	return 0;
}

/** The tables, in memory. */
static int begin(struct datafile_draft *w)
{
	int r = writer_result(w, datafile_vfs_open(&w->vfs, -1, &w->db));

	if (r == 0)
		r = writer_exec(w, prepare_sql);
	return r < 0 ? r : writer_exec(w, schema_sql);
}

void datafile_draft_free(struct datafile_draft *draft)
{
	if (draft)
		writer_deinit(draft);
	free(draft);
}

int datafile_draft_new(struct datafile *file, struct datafile_draft **ret)
{
	struct datafile_draft *new = calloc(1, sizeof(*new));
	int r;

	if (!new)
		return datafile_fail(file, -ENOMEM, "%s", strerror(ENOMEM));
	new->file = file;
	r = begin(new);
	if (r < 0)
		datafile_draft_free(new);
	else
		*ret = new;
	return r;
}

bool datafile_draft_serves(const struct datafile_draft *w, const struct record *rec)
{
	return !w->rec || (w->rec == rec && rec->draft == w->number);
}

/* From now on it is a draft of @rec. */
static void begin_record(struct datafile_draft *w, struct record *rec)
{
	if (!w->rec)
		w->number = ++rec->draft;
	w->rec = rec;
}

int datafile_draft_add(struct datafile_draft *w, struct record *rec)
{
	_cleanup_free_ struct record_file **files = NULL;
	size_t n;
	int r = 0;

	if (record_sorted_files(rec, &files, &n) < 0)
		return writer_result(w, SQLITE_NOMEM);
	begin_record(w, rec);
	for (size_t i = 0; i < n && r == 0 && w->size < DRAFT_MAX; i++)
		if (utf8_valid(files[i]->path))
			r = draft_file(w, files[i]);
	return r;
}

int datafile_sql_write(struct datafile_draft *w, int fd, struct record *rec)
{
	int r;

	w->vfs.fd = fd;
	begin_record(w, rec);
	r = writer_exec(w, "pragma cache_spill=on");
	if (r < 0)
		return r;
	r = writer_exec(w, rec->has_arcs ? "insert into meta values ('has_arcs', '1')"
					 : "insert into meta values ('has_arcs', '0')");
	if (r < 0)
		return r;
	r = write_contexts(w, rec);
	if (r < 0)
		return r;
	r = write_files(w, rec);
	return r < 0 ? r : writer_exec(w, "commit");
}
