#include "data/datafile.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

struct fixture {
	char dir[64];
	char path[128];
	struct datafile file;
	struct record rec;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_datafile.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/.coverage", f->dir);
	record_init(&f->rec);
	*state = f;
	return datafile_init(&f->file, f->path);
}

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = run("chmod -R u+w %s && rm -rf %s", f->dir, f->dir);

	datafile_deinit(&f->file);
	record_deinit(&f->rec);
	free(f);
	return r;
}

static struct record_file *get_file(struct record *rec, const char *path)
{
	struct record_file *file;

	assert_int_equal(record_file_get(rec, path, &file), 0);
	return file;
}

static void add_line(struct record *rec, const char *path, const char *context, uint32_t line)
{
	struct lineset *lines;

	assert_int_equal(record_file_lines(rec, get_file(rec, path), context, &lines), 0);
	assert_int_equal(lineset_add(lines, line), 0);
}

/** The lines of @p file in the context of that name; none at all if it is not there. */
static const struct lineset *lines_of(const struct record_file *file, const char *context)
{
	static const struct lineset none;

	for (size_t i = 0; i < file->n_lines; i++)
		if (!strcmp(file->lines[i].context->name, context))
			return &file->lines[i].lines;
	return &none;
}

static void assert_same_functions(const struct record_file *a, const struct record_file *b)
{
	_cleanup_free_ struct record_function **x = NULL, **y = NULL;
	size_t n, m;

	assert_int_equal(record_sorted_functions(a, &x, &n), 0);
	assert_int_equal(record_sorted_functions(b, &y, &m), 0);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(x[i]->name, y[i]->name);
		assert_int_equal(x[i]->first_line, y[i]->first_line);
		assert_true(lineset_equal(&x[i]->executable, &y[i]->executable));
	}
}

static void assert_same(const struct record *a, const struct record *b)
{
	_cleanup_free_ struct record_file **files = NULL;
	size_t n;

	assert_int_equal(record_sorted_files(a, &files, &n), 0);
	assert_int_equal(n, b->files.count);
	for (size_t i = 0; i < n; i++) {
		const struct record_file *other = record_file_find(b, files[i]->path);

		assert_non_null(other);
		assert_int_equal(files[i]->n_lines, other->n_lines);
		assert_same_functions(files[i], other);
		assert_true(lineset_equal(&files[i]->executable, &other->executable));
		for (size_t j = 0; j < other->n_lines; j++)
			assert_true(lineset_equal(&other->lines[j].lines,
						  lines_of(files[i], other->lines[j].context->name)));
	}
}

static size_t count_entries(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	size_t n = 0;

	while (readdir(dir))
		n++;
	return n - 2;
}

static void fill(struct record *rec)
{
	add_line(rec, "/srv/a.py", "", 1);
	add_line(rec, "/srv/a.py", "", 200);
	add_line(rec, "/srv/a.py", "test_a", 3);
	add_line(rec, "/srv/b.py", "another", 70000);
	get_file(rec, "/srv/never.py");
	assert_int_equal(lineset_add(&get_file(rec, "/srv/a.py")->executable, 5), 0);
	assert_int_equal(record_file_add_function(rec, get_file(rec, "/srv/a.py"), "C.f", 4,
						  &get_file(rec, "/srv/a.py")->executable),
			 0);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back;
	struct stat st;

	record_init(&back);
	fill(&f->rec);
	assert_int_equal(datafile_check_writable(&f->file), 0);
	assert_int_equal(count_entries(f->dir), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(datafile_write(&f->file, &f->rec, i == 1), 0);
	assert_int_equal(count_entries(f->dir), 1);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
}

/** What is prepared is good for one write, whether that works or not, and is in nobody's way. */
static void test_prepared(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back, back_again;
	struct rlimit old, limit;

	record_init(&back);
	record_init(&back_again);
	datafile_prepare(&f->file, NULL);
	datafile_prepare(&f->file, NULL);
	assert_int_equal(count_entries(f->dir), 0);
	fill(&f->rec);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
	datafile_prepare(&f->file, NULL);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){5000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(datafile_read(&f->file, &back_again), 0);
	assert_same(&f->rec, &back_again);
	assert_int_equal(count_entries(f->dir), 1);
	datafile_prepare(&f->file, NULL); /* given up at the end */
}

/** A record is put in beforehand, in parts, and grows meanwhile; what is written is what it is in the end. */
static void test_prepared_record(void **state)
{
	struct fixture *f = *state;
	struct lineset more = {0};
	struct record_file *file;
	struct record back;

	datafile_prepare(&f->file, &f->rec); /* nothing yet */
	fill(&f->rec);
	datafile_prepare(&f->file, &f->rec);
	datafile_prepare(&f->file, &f->rec);
	for (uint32_t line = 7; line < 60000; line += 100)
		assert_int_equal(lineset_add(&more, line), 0);
	assert_int_equal(record_file_get(&f->rec, "/a/late.py", &file), 0);
	for (int i = 0; i < 2; i++) {
		struct lineset *lines;

		assert_int_equal(record_file_lines(&f->rec, file, "", &lines), 0);
		assert_int_equal(lineset_add(lines, 7 + 100 * (uint32_t)i), 0);
		assert_int_equal(lineset_or(&file->executable, &more), 0);
		assert_int_equal(record_file_add_function(&f->rec, file, "late", 3, NULL), 0);
		if (i == 0)
			datafile_prepare(&f->file, &f->rec);
		assert_int_equal(record_file_add_function(&f->rec, file, "late", 3, &more), 0);
		assert_int_equal(lineset_add(&more, 8), 0);
	}
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	record_init(&back);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
	assert_int_equal(record_file_find(&back, "/a/late.py")->functions.count, 1);
	record_deinit(&back);
	lineset_deinit(&more);
}

/** More than SQLite would keep in memory by itself, before there is a file to put it into. */
static void test_prepared_much(void **state)
{
	struct fixture *f = *state;
	struct lineset far = {0};
	struct record back;

	assert_int_equal(lineset_add(&far, 100000), 0);
	for (int i = 0; i < 400; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(record_file_add_function(&f->rec, get_file(&f->rec, "/a/long.py"), name, 1, &far), 0);
	}
	datafile_prepare(&f->file, &f->rec);
	assert_int_equal(count_entries(f->dir), 0);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	record_init(&back);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
	record_deinit(&back);
	lineset_deinit(&far);
}

/** What was put in of a record is of no use to another one, nor to that which begins anew in its place. */
static void test_prepared_for_another(void **state)
{
	struct fixture *f = *state;
	struct record_file *file;
	struct record other, back;

	record_init(&other);
	assert_int_equal(record_file_get(&other, "/a/other.py", &file), 0);
	fill(&f->rec);
	for (int i = 0; i < 3; i++) {
		struct record *rec = i == 1 ? &f->rec : &other;

		datafile_prepare(&f->file, &f->rec);
		if (i == 1) {
			record_deinit(&f->rec);
			record_init(&f->rec);
			assert_int_equal(record_file_get(&f->rec, "/a/anew.py", &file), 0);
		}
		assert_int_equal(datafile_write(&f->file, rec, false), 0);
		record_init(&back);
		assert_int_equal(datafile_read(&f->file, &back), 0);
		assert_same(rec, &back);
		assert_int_equal(back.files.count, 1);
		record_deinit(&back);
	}
	record_deinit(&other);
}

static int compare_with_schema(void *arg, int n, char **values, char **names)
{
	strncat(arg, values[0], 2000 - strlen(arg) - 1);
	strncat(arg, "\n", 2000 - strlen(arg) - 1);
	return 0;
}

static void test_tables(void **state)
{
	struct fixture *f = *state;
	char text[2000] = "";
	sqlite3 *db;

	fill(&f->rec);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "select name from sqlite_master where type = 'table';"
				      "select version from coverage_schema;"
				      "select key || value from meta where key = 'has_arcs';"
				      "select id || path from file;"
				      "select id || context from context;"
				      "select file_id || ' ' || context_id || hex(numbits)"
				      " from line_bits where length(numbits) < 9;"
				      "select count(*) from arc;"
				      "select count(*) from tracer;"
				      "pragma integrity_check; pragma foreign_key_check;",
				      compare_with_schema, text, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_string_equal(text,
			    "coverage_schema\nmeta\nfile\ncontext\nline_bits\narc\ntracer\n"
			    "pycov_trace_executable\npycov_trace_function\n"
			    "7\nhas_arcs0\n1/srv/a.py\n2/srv/b.py\n3/srv/never.py\n"
			    "1\n2another\n3test_a\n1 308\n0\n0\nok\n");
}

static void test_huge_line(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back;

	record_init(&back);
	add_line(&f->rec, "/a.py", "", 7);
	add_line(&f->rec, "/a.py", "", 9000000); /* more than a chunk */
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
}

static void test_highest_line(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back;

	record_init(&back);
	add_line(&f->rec, "/a.py", "", LINESET_MAX);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
}

static void test_names_that_are_not_utf8(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back;

	record_init(&back);
	add_line(&f->rec, "/srv/\xff.py", "", 1);
	add_line(&f->rec, "/srv/\xc3\xa9.py", "", 1);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_int_equal(back.files.count, 1);
	add_line(&f->rec, "/srv/a.py", "\xff", 1);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), -EILSEQ);
}

static void assert_init(const char *path, int expected)
{
	_cleanup_datafile_ struct datafile file;
	int r = datafile_init(&file, path);

	assert_int_equal(r, expected);
	if (r < 0)
		assert_true(file.why[0]);
}

static void test_init(void **state)
{
	struct fixture *f = *state;
	_cleanup_datafile_ struct datafile beside;

	assert_init("plain", 0);
	assert_init("/plain", 0);
	assert_init("", -EINVAL);
	assert_init("/tmp/", -EISDIR);
	assert_init("..", -EISDIR);
	assert_init("/tmp/.", -EISDIR);
	assert_init("/nowhere/x", -ENOENT);
	assert_init("/dev/null/x", -ENOTDIR);
	assert_int_equal(datafile_init_suffixed(&beside, &f->file, ".host.pid1.Xabcdefx"), 0);
	assert_int_equal(datafile_write(&beside, &f->rec, false), 0);
	assert_int_equal(run("test -s %s.host.pid1.Xabcdefx", f->path), 0);
}

static void test_check_writable(void **state)
{
	struct fixture *f = *state;
	char longer[300];
	_cleanup_datafile_ struct datafile file = {0};

	assert_int_equal(mkdir(f->path, 0755), 0);
	assert_int_equal(datafile_check_writable(&f->file), -EISDIR);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), -EISDIR);
	assert_int_equal(datafile_read(&f->file, &f->rec), -EISDIR);
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(count_entries(f->dir), 0);
	assert_int_equal(mkfifo(f->path, 0644), 0);
	assert_int_equal(datafile_check_writable(&f->file), -ENOTSUP);
	assert_int_equal(datafile_read(&f->file, &f->rec), -ENOTSUP);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("/nowhere", f->path), 0);
	assert_int_equal(datafile_check_writable(&f->file), 0);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(datafile_init(&file, longer), 0);
	assert_int_equal(datafile_check_writable(&file), -ENAMETOOLONG);
}

/** Do @p check as a user without rights; the result, which is to be 0 or a negative errno. */
static int as_nobody(struct fixture *f, int (*check)(struct datafile *))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(255);
		_exit(-check(&f->file));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void test_no_rights(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(as_nobody(f, datafile_check_writable), -EACCES);
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod(f->dir, 01777), 0);
	assert_int_equal(as_nobody(f, datafile_check_writable), 0);
	assert_int_equal(run("echo > %s", f->path), 0);
	assert_int_equal(as_nobody(f, datafile_check_writable), -EPERM);
}

static void test_symlink_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char target[128];

	snprintf(target, sizeof(target), "%s/precious", f->dir);
	assert_int_equal(run("echo precious > %s", target), 0);
	assert_int_equal(symlink(target, f->path), 0);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(run("test \"$(cat %s)\" = precious", target), 0);
}

/** A journal that another writer left must not be rolled back into the new file. */
static void test_old_journal(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back;
	char journal[160];
	sqlite3 *db;
	int status;
	pid_t pid;

	record_init(&back);
	fill(&f->rec);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	pid = fork();
	if (pid == 0) { /* dies in the middle of a transaction, with pages written already */
		sqlite3_open(f->path, &db);
		sqlite3_exec(db,
			     "pragma cache_size = 2; begin;"
			     "update file set path = path || '.old';"
			     "create table t as with recursive r(n) as"
			     " (select 1 union all select n + 1 from r where n < 9999)"
			     " select n, hex(randomblob(99)) from r;",
			     NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	snprintf(journal, sizeof(journal), "%s-journal", f->path);
	assert_int_equal(access(journal, F_OK), 0);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(count_entries(f->dir), 1);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_same(&f->rec, &back);
}

/** A limit of the file size stands for the full disk: it fails in the same places. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, limit;
	_cleanup_record_ struct record back;
	char path[64];

	record_init(&back);
	add_line(&f->rec, "/old.py", "", 1);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/new%d.py", i);
		add_line(&f->rec, path, "", 1);
	}
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (rlim_t size = 0; size < 200000; size += 50000) {
		limit = (struct rlimit){size, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(datafile_write(&f->file, &f->rec, false), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_string_equal(f->file.why, strerror(EFBIG));
	}
	assert_int_equal(count_entries(f->dir), 1);
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_int_equal(back.files.count, 1);
}

static void test_stale_temporary_files(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run("cd %s && touch -d '1 hour ago' .pycov-trace-abcdef.tmp "
			     ".pycov-trace-abcdef.txt .pycov-trace-abcdefg.tmp && "
			     "touch .pycov-trace-new000.tmp && "
			     "ln -s .pycov-trace-abcdef.txt .pycov-trace-link00.tmp",
			     f->dir),
			 0);
	assert_int_equal(datafile_check_writable(&f->file), 0);
	assert_int_equal(run("cd %s && test \"$(ls -A | tr '\\n' ' ')\" = "
			     "'.pycov-trace-abcdef.txt .pycov-trace-abcdefg.tmp "
			     ".pycov-trace-link00.tmp .pycov-trace-new000.tmp '",
			     f->dir),
			 0);
}

static void assert_read(struct fixture *f, int expected)
{
	_cleanup_record_ struct record back;

	record_init(&back);
	add_line(&back, "/kept.py", "", 1);
	f->file.why[0] = '\0';
	assert_int_equal(datafile_read(&f->file, &back), expected);
	assert_int_equal(back.files.count, 1);
	assert_true(expected == 0 || f->file.why[0]);
}

static void sql(struct fixture *f, const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	fill(&f->rec);
	assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

static void test_read_what_is_no_data_file(void **state)
{
	struct fixture *f = *state;

	assert_read(f, -ENOENT);
	assert_int_equal(run("> %s", f->path), 0);
	assert_read(f, 0);
	assert_int_equal(run("head -c 5000 /dev/zero | tr '\\0' x > %s", f->path), 0);
	assert_read(f, -EBADMSG);
	assert_int_equal(run("printf 'SQLite format 3' > %s", f->path), 0);
	assert_read(f, -EBADMSG);
}

static void test_read_other_schemas(void **state)
{
	struct fixture *f = *state;

	sql(f, "update coverage_schema set version = 6");
	assert_read(f, -EPROTO);
	assert_string_equal(f->file.why, "schema 6 of the data, not 7");
	sql(f, "delete from coverage_schema");
	assert_read(f, -EBADMSG);
	sql(f, "drop table context");
	assert_read(f, -EBADMSG);
	sql(f,
	    "drop table line_bits; create view line_bits as"
	    " with recursive r(n) as (select 1 union all select n + 1 from r)"
	    " select n file_id, 1 context_id, x'02' numbits from r");
	assert_read(f, -EBADMSG);
	sql(f, "update meta set value = '1' where key = 'has_arcs'");
	assert_read(f, -ENOTSUP);
	sql(f, "insert into tracer values (1, 'django_coverage_plugin')");
	assert_read(f, -ENOTSUP);
}

static void test_read_odd_contents(void **state)
{
	struct fixture *f = *state;

	sql(f, "update file set path = x'00ff' where id = 1");
	assert_read(f, -EBADMSG);
	sql(f, "update file set path = cast(x'2fff' as text) where id = 1");
	assert_read(f, -EBADMSG);
	sql(f, "update file set path = null");
	assert_read(f, -EBADMSG);
	sql(f, "update line_bits set numbits = 'text'");
	assert_read(f, -EBADMSG);
	sql(f, "update pycov_trace_function set first_line = -1");
	assert_read(f, -EBADMSG);
}

static void test_read_without_our_tables(void **state)
{
	struct fixture *f = *state;
	_cleanup_record_ struct record back;

	record_init(&back);
	sql(f,
	    "drop table pycov_trace_function; drop table pycov_trace_executable;"
	    "insert into line_bits values (3, 1, x'')");
	assert_int_equal(datafile_read(&f->file, &back), 0);
	assert_int_equal(back.files.count, 3);
	assert_int_equal(lines_of(record_file_find(&back, "/srv/never.py"), "")->count, 0);
	assert_int_equal(lines_of(record_file_find(&back, "/srv/a.py"), "")->count, 2);
}

static void test_read_locked(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	sql(f, "select 1");
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "begin exclusive", NULL, NULL, NULL), SQLITE_OK);
	assert_read(f, -EBUSY);
	sqlite3_close(db);
}

/** Any damage is an error or harmless, whatever byte it hits. */
static void test_read_damaged(void **state)
{
	struct fixture *f = *state;
	uint32_t x = 1;

	for (int i = 0; i < 1000; i++) {
		_cleanup_record_ struct record back;
		_cleanup_close_ int fd = -1;
		off_t size;

		record_init(&back);
		if (i % 10 == 0) {
			fill(&f->rec);
			assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
		}
		fd = open(f->path, O_RDWR | O_CLOEXEC);
		size = lseek(fd, 0, SEEK_END);
		for (int j = 0; j < 8; j++) {
			x = x * 1103515245u + 12345u;
			/* most bytes of a page are free: aim at the ends of pages and the headers */
			off_t page = (off_t)(x >> 8) % (size / 4096) * 4096;
			off_t in = (x >> 4) % 2 ? 4095 - (off_t)(x >> 20) % 100 : (off_t)(x >> 20) % 120;
			char byte = (char)(x >> 12);

			assert_int_equal(pwrite(fd, &byte, 1, page + in), 1);
		}
		if (i % 10 == 9)
			assert_int_equal(ftruncate(fd, (off_t)(x >> 8) % size), 0);
		(void)!datafile_read(&f->file, &back);
	}
}

/** What coverage.py says. $PYCOV_TRACE_COVERAGE: interpreters that have it, separated by blanks. */
static void test_coverage_reads_it(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *pythons = strdup(getenv("PYCOV_TRACE_COVERAGE") ?: "");
	char source[128], other[128];

	if (!*pythons) {
		print_message("PYCOV_TRACE_COVERAGE names no interpreter with coverage\n");
		skip();
	}
	snprintf(source, sizeof(source), "%s/prog.py", f->dir);
	snprintf(other, sizeof(other), "%s/never.py", f->dir);
	assert_int_equal(run("printf 'a = 1\\nif a:\\n\\tb = 2\\nelse:\\n\\tc = 3\\n' > %s; "
			     "printf 'x = 1\\n' > %s",
			     source, other),
			 0);
	add_line(&f->rec, source, "", 1);
	add_line(&f->rec, source, "", 2);
	add_line(&f->rec, source, "ctx", 3);
	assert_int_equal(lineset_add(&get_file(&f->rec, source)->executable, 5), 0);
	assert_int_equal(record_file_add_function(&f->rec, get_file(&f->rec, source), "f", 1, NULL), 0);
	get_file(&f->rec, other);
	for (char *python = strtok(pythons, " "); python; python = strtok(NULL, " ")) {
		assert_int_equal(datafile_write(&f->file, &f->rec, false), 0);
		/* one combine gets two files, which differ only in bytes that mean nothing */
		assert_int_equal(run("cd %s && unset COVERAGE_FILE COVERAGE_RCFILE && mkdir parts && "
				     "cp .coverage parts/.coverage.1 && "
				     "cp .coverage parts/.coverage.2 && echo >> parts/.coverage.2 && "
				     "%s -m coverage report -m > report && "
				     "grep -q 'prog.py *4 *1 *75%%  *5' report && "
				     "grep -q 'never.py *1 *1 *0%%  *1' report && "
				     "%s -m coverage html -q && %s -m coverage xml -q && "
				     "%s -m coverage json -q --show-contexts && "
				     "grep -Pzq '\"3\": \\[\\s*\"ctx\"' coverage.json && "
				     "rm .coverage && %s -m coverage combine -q parts && "
				     "%s -m coverage report -m > again && cmp report again && "
				     "rm -rf parts",
				     f->dir, python, python, python, python, python, python),
				 0);
	}
}

#define fixture_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_round_trip),
		fixture_test(test_prepared),
		fixture_test(test_prepared_record),
		fixture_test(test_prepared_much),
		fixture_test(test_prepared_for_another),
		fixture_test(test_tables),
		fixture_test(test_huge_line),
		fixture_test(test_highest_line),
		fixture_test(test_names_that_are_not_utf8),
		fixture_test(test_init),
		fixture_test(test_check_writable),
		fixture_test(test_no_rights),
		fixture_test(test_symlink_is_replaced),
		fixture_test(test_old_journal),
		fixture_test(test_disk_full),
		fixture_test(test_stale_temporary_files),
		fixture_test(test_read_what_is_no_data_file),
		fixture_test(test_read_other_schemas),
		fixture_test(test_read_odd_contents),
		fixture_test(test_read_without_our_tables),
		fixture_test(test_read_locked),
		fixture_test(test_read_damaged),
		fixture_test(test_coverage_reads_it),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
