#include "base/log.h"
#include "base/utf8.h"
#include "data/datafile_sql.h"
#include "data/dbfile.h"

#include <errno.h>
#include <string.h>

/* The tables in their order, and behind each the index that its `unique` makes. */
enum {
	SCHEMA,
	META,
	META_INDEX,
	FILES,
	FILES_INDEX,
	CONTEXTS,
	CONTEXTS_INDEX,
	LINES,
	LINES_INDEX,
	ARCS,
	ARCS_INDEX,
	TRACERS,
	EXECUTABLE,
	FUNCTIONS,
	SAMPLES, /* from here on only where something was sampled */
	SAMPLES_INDEX,
	N_TREES,
};

/* Tables, columns and keys as in coverage/sqldata.py, then ours. No `sql`: the index of the one before. */
static const struct {
	const char *table, *sql;
} schema[N_TREES] = {
	[SCHEMA] = {"coverage_schema", "CREATE TABLE coverage_schema (version integer)"},
	[META] = {"meta", "CREATE TABLE meta (key text, value text, unique (key))"},
	[META_INDEX] = {"meta", NULL},
	[FILES] = {"file", "CREATE TABLE file (id integer primary key, path text, unique (path))"},
	[FILES_INDEX] = {"file", NULL},
	[CONTEXTS] = {"context", "CREATE TABLE context (id integer primary key, context text, unique (context))"},
	[CONTEXTS_INDEX] = {"context", NULL},
	[LINES] = {"line_bits", "CREATE TABLE line_bits (file_id integer, context_id integer, numbits blob,"
				" foreign key (file_id) references file (id),"
				" foreign key (context_id) references context (id),"
				" unique (file_id, context_id))"},
	[LINES_INDEX] = {"line_bits", NULL},
	[ARCS] = {"arc", "CREATE TABLE arc (file_id integer, context_id integer, fromno integer, tono integer,"
			 " foreign key (file_id) references file (id),"
			 " foreign key (context_id) references context (id),"
			 " unique (file_id, context_id, fromno, tono))"},
	[ARCS_INDEX] = {"arc", NULL},
	[TRACERS] = {"tracer", "CREATE TABLE tracer (file_id integer primary key, tracer text,"
			       " foreign key (file_id) references file (id))"},
	[EXECUTABLE] = {"pycov_trace_executable", "CREATE TABLE pycov_trace_executable (file_id integer primary key,"
						  " numbits blob)"},
	[FUNCTIONS] = {"pycov_trace_function", "CREATE TABLE pycov_trace_function (file_id integer, name text,"
					       " first_line integer, numbits blob)"},
	[SAMPLES] = {"pycov_trace_samples", "CREATE TABLE pycov_trace_samples (file_id integer, line integer,"
					    " samples integer, unique (file_id, line))"},
	[SAMPLES_INDEX] = {"pycov_trace_samples", NULL},
};

static bool is_index(unsigned int tree)
{
	return !schema[tree].sql;
}

struct writer {
	struct datafile *file;
	const struct record *rec;
	struct dbfile db;
	struct dbtree trees[N_TREES];
	int64_t rows[N_TREES]; /* the number of the last one */
	int64_t *context_ids;  /* row of a context, by its id in the record */
};

static void writer_free(struct writer *w)
{
	for (unsigned int i = 0; w && i < N_TREES; i++)
		dbtree_deinit(&w->trees[i]);
	if (w) {
		dbfile_deinit(&w->db);
		free(w->context_ids);
	}
	free(w);
}

static void writer_freep(struct writer **w)
{
	writer_free(*w);
}

/* The next row of a table whose rows nobody numbers. */
static void next_row(struct writer *w, unsigned int tree, struct dbrow *row)
{
	dbrow_init(row, ++w->rows[tree]);
}

static int add(struct writer *w, unsigned int tree, const struct dbrow *row)
{
	return dbtree_add(&w->trees[tree], row);
}

/* The entry for @p row in the index of @p tree: its first columns, which its last one makes of it, and its number. */
static int add_entry(struct writer *w, unsigned int tree, struct dbrow *entry, int64_t row)
{
	dbrow_integer(entry, row);
	return add(w, tree + 1, entry);
}

/* A row (id integer primary key, text). The number is in no column. */
static int add_text(struct writer *w, unsigned int tree, int64_t id, const char *text)
{
	struct dbrow row;

	dbrow_init(&row, id);
	dbrow_null(&row);
	dbrow_text(&row, text);
	return add(w, tree, &row);
}

static int add_text_entry(struct writer *w, unsigned int tree, int64_t id, const char *text)
{
	struct dbrow entry;

	dbrow_init(&entry, id);
	dbrow_text(&entry, text);
	return add_entry(w, tree, &entry, id);
}

static int write_meta(struct writer *w)
{
	const char *const values[][2] = {{"has_arcs", w->rec->has_arcs ? "1" : "0"},
					 {"version", "pycov-trace " PYCOV_TRACE_VERSION}};
	struct dbrow row;
	int r;

	next_row(w, SCHEMA, &row);
	dbrow_integer(&row, DATAFILE_SCHEMA_VERSION);
	r = add(w, SCHEMA, &row);
	for (size_t i = 0; i < ARRAY_SIZE(values) && r == 0; i++) {
		next_row(w, META, &row);
		dbrow_text(&row, values[i][0]);
		dbrow_text(&row, values[i][1]);
		r = add(w, META, &row);
		if (r == 0)
			r = add_text_entry(w, META, row.number, values[i][0]);
	}
	return r;
}

static int add_context(struct writer *w, int64_t id, const char *name)
{
	int r = add_text(w, CONTEXTS, id, name);

	return r < 0 ? r : add_text_entry(w, CONTEXTS, id, name);
}

static int write_contexts(struct writer *w)
{
	_cleanup_free_ struct record_context **contexts = NULL;
	int64_t id = 1;
	size_t n;
	int r;

	r = record_sorted_contexts(w->rec, &contexts, &n);
	if (r < 0)
		return r;
	w->context_ids = calloc(n + 1, sizeof(*w->context_ids));
	if (!w->context_ids)
		return -ENOMEM;
	/* the default context is row 1, whether anything ran in it or not; it sorts first */
	r = add_context(w, 1, "");
	for (size_t i = 0; i < n && r == 0; i++) {
		if (!utf8_valid(contexts[i]->name))
			return datafile_fail(w->file, -EILSEQ, "a context's name is not UTF-8");
		if (contexts[i]->name[0])
			r = add_context(w, ++id, contexts[i]->name);
		w->context_ids[contexts[i]->id] = id;
	}
	return r;
}

static int write_lines(struct writer *w, int64_t id, int64_t context, const struct lineset *lines)
{
	struct dbrow row, entry;
	int r;

	if (!lines->count)
		return 0;
	next_row(w, LINES, &row);
	dbrow_integer(&row, id);
	dbrow_integer(&row, context);
	entry = row;
	dbrow_numbits(&row, lines);
	r = add(w, LINES, &row);
	return r < 0 ? r : add_entry(w, LINES, &entry, row.number);
}

static int write_arc(struct writer *w, int64_t id, int64_t context, const struct record_arc *arc)
{
	struct dbrow row;
	int r;

	next_row(w, ARCS, &row);
	dbrow_integer(&row, id);
	dbrow_integer(&row, context);
	dbrow_integer(&row, arc->from);
	dbrow_integer(&row, arc->to);
	r = add(w, ARCS, &row);
	return r < 0 ? r : add_entry(w, ARCS, &row, row.number);
}

static int write_arcs(struct writer *w, int64_t id, int64_t context, const struct record_lines *lines)
{
	_cleanup_free_ struct record_arc *arcs = malloc((lines->n_arcs + 1) * sizeof(*arcs));
	size_t n;
	int r = 0;

	if (!arcs)
		return -ENOMEM;
	memcpy(arcs, lines->arcs, lines->n_arcs * sizeof(*arcs));
	n = record_arcs_sort(arcs, lines->n_arcs);
	for (size_t i = 0; i < n && r == 0; i++)
		r = write_arc(w, id, context, &arcs[i]);
	return r;
}

static int compare_contexts(const void *a, const void *b, void *arg)
{
	const struct record_lines *const *x = a, *const *y = b;
	const int64_t *ids = arg;

	return ids[(*x)->context->id] < ids[(*y)->context->id] ? -1 : 1;
}

/* In the order of the contexts' rows, as the indices want it. */
static int write_executed(struct writer *w, int64_t id, const struct record_file *file)
{
	_cleanup_free_ const struct record_lines **sorted = malloc((file->n_lines + 1) * sizeof(const void *));
	int r = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < file->n_lines; i++)
		sorted[i] = &file->lines[i];
	qsort_r(sorted, file->n_lines, sizeof(const void *), compare_contexts, w->context_ids);
	for (size_t i = 0; i < file->n_lines && r == 0; i++) {
		int64_t context = w->context_ids[sorted[i]->context->id];

		r = w->rec->has_arcs ? write_arcs(w, id, context, sorted[i]) :
				       write_lines(w, id, context, &sorted[i]->lines);
	}
	return r;
}

static int write_executable(struct writer *w, int64_t id, const struct lineset *lines)
{
	struct dbrow row;

	if (!lines->count)
		return 0;
	dbrow_init(&row, id);
	dbrow_null(&row);
	dbrow_numbits(&row, lines);
	return add(w, EXECUTABLE, &row);
}

static int write_function(struct writer *w, int64_t id, const struct record_function *function)
{
	struct dbrow row;

	next_row(w, FUNCTIONS, &row);
	dbrow_integer(&row, id);
	dbrow_text(&row, function->name);
	dbrow_integer(&row, function->first_line);
	dbrow_numbits(&row, &function->executable);
	return add(w, FUNCTIONS, &row);
}

static int write_functions(struct writer *w, int64_t id, const struct record_file *file)
{
	_cleanup_free_ struct record_function **functions = NULL;
	size_t n;
	int r;

	if (!file->functions.count)
		return 0;
	r = record_sorted_functions(file, &functions, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (utf8_valid(functions[i]->name))
			r = write_function(w, id, functions[i]);
	return r;
}

static int write_samples(struct writer *w, int64_t id, const struct record_file *file)
{
	int r = 0;

	for (size_t i = 0; i < file->n_samples && r == 0; i++) {
		struct dbrow row, entry;

		next_row(w, SAMPLES, &row);
		dbrow_integer(&row, id);
		dbrow_integer(&row, file->samples[i].line);
		entry = row;
		dbrow_integer(&row, (int64_t)file->samples[i].samples);
		r = add(w, SAMPLES, &row);
		if (r == 0)
			r = add_entry(w, SAMPLES, &entry, row.number);
	}
	return r;
}

static int write_file(struct writer *w, int64_t id, const struct record_file *file)
{
	int r = add_text(w, FILES, id, file->path);

	if (r == 0)
		r = add_text_entry(w, FILES, id, file->path);
	if (r == 0 && file->tracer)
		r = add_text(w, TRACERS, id, file->tracer);
	if (r == 0)
		r = write_executed(w, id, file);
	if (r == 0)
		r = write_executable(w, id, &file->executable);
	if (r == 0)
		r = write_functions(w, id, file);
	return r < 0 ? r : write_samples(w, id, file);
}

static int write_files(struct writer *w)
{
	_cleanup_free_ struct record_file **files = NULL;
	int64_t id = 0;
	size_t n;
	int r;

	r = record_sorted_files(w->rec, &files, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (utf8_valid(files[i]->path))
			r = write_file(w, ++id, files[i]);
		else
			log_debug("left out, not UTF-8: %s", files[i]->path);
	}
	return r;
}

static int write_tree(struct writer *w, unsigned int tree)
{
	uint32_t root = 0;
	int r = dbtree_finish(&w->trees[tree], &root);

	if (r < 0)
		return r;
	return is_index(tree) ? dbfile_add_index(&w->db, schema[tree].table, 1, root) :
				dbfile_add_table(&w->db, schema[tree].table, root, schema[tree].sql);
}

static int write_all(struct writer *w)
{
	unsigned int n;
	int r = write_meta(w);

	if (r == 0)
		r = write_contexts(w);
	if (r == 0)
		r = write_files(w);
	n = w->rows[SAMPLES] ? N_TREES : SAMPLES;
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = write_tree(w, i);
	return r < 0 ? r : dbfile_finish(&w->db);
}

int datafile_sql_write(struct datafile *file, int fd, const struct record *rec)
{
	_cleanup_(writer_freep) struct writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return datafile_fail(file, -ENOMEM, "%s", strerror(ENOMEM));
	w->file = file;
	w->rec = rec;
	for (unsigned int i = 0; i < N_TREES; i++)
		dbtree_init(&w->trees[i], &w->db, is_index(i));
	r = dbfile_init(&w->db, fd);
	if (r == 0)
		r = write_all(w);
	/* what is wrong with a name was said */
	return r < 0 && r != -EILSEQ ? datafile_fail(file, r, "%s", strerror(-r)) : r;
}
