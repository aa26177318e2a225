#include "data/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

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

static void test_files(void **state)
{
	_cleanup_record_ struct record rec;

	record_init(&rec);
	assert_null(record_file_find(&rec, "/a.py"));
	add_line(&rec, "/a.py", NULL, 3);
	add_line(&rec, "/a.py", "", 4);
	assert_ptr_equal(record_file_find(&rec, "/a.py"), get_file(&rec, "/a.py"));
	assert_int_equal(rec.files.count, 1);
	assert_int_equal(get_file(&rec, "/a.py")->n_lines, 1);
	assert_int_equal(get_file(&rec, "/a.py")->lines[0].lines.count, 2);
}

static void test_contexts(void **state)
{
	_cleanup_record_ struct record rec;
	_cleanup_free_ struct record_context **contexts = NULL;
	struct record_file *file;
	char name[8];
	size_t n;

	record_init(&rec);
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "t%02u", (99 - i) % 100);
		add_line(&rec, i % 2 ? "/a.py" : "/b.py", name, i + 1);
	}
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "t%02u", i);
		add_line(&rec, "/a.py", name, 1000);
	}
	file = get_file(&rec, "/a.py");
	assert_int_equal(file->n_lines, 100);
	for (size_t i = 1; i < file->n_lines; i++)
		assert_true(file->lines[i - 1].context->id < file->lines[i].context->id);
	for (size_t i = 0; i < file->n_lines; i++)
		assert_int_equal(file->lines[i].lines.count, i % 2 ? 2 : 1);
	assert_int_equal(record_sorted_contexts(&rec, &contexts, &n), 0);
	assert_int_equal(n, 100);
	assert_string_equal(contexts[0]->name, "t00");
	assert_string_equal(contexts[99]->name, "t99");
}

static void test_functions(void **state)
{
	_cleanup_record_ struct record rec;
	_cleanup_free_ struct record_function **functions = NULL;
	_cleanup_(lineset_deinit) struct lineset a = {0}, b = {0};
	struct record_file *file;
	size_t n;

	record_init(&rec);
	file = get_file(&rec, "/a.py");
	assert_int_equal(lineset_add(&a, 11), 0);
	assert_int_equal(lineset_add(&b, 12), 0);
	assert_int_equal(record_file_add_function(&rec, file, "C.f", 10, &a), 0);
	assert_int_equal(record_file_add_function(&rec, file, "C", 9, NULL), 0);
	assert_int_equal(record_file_add_function(&rec, file, "C.a", 10, &b), 0);
	assert_int_equal(record_file_add_function(&rec, file, "C.f", 10, &b), 0);
	assert_int_equal(record_sorted_functions(file, &functions, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(functions[0]->name, "C");
	assert_string_equal(functions[1]->name, "C.a");
	assert_string_equal(functions[2]->name, "C.f");
	assert_int_equal(functions[2]->executable.count, 2);
}

static void test_merge(void **state)
{
	_cleanup_record_ struct record a, b;
	struct record_file *file;

	record_init(&a);
	record_init(&b);
	add_line(&a, "/x.py", "one", 1);
	add_line(&b, "/x.py", "two", 2);
	add_line(&b, "/x.py", "one", 3);
	get_file(&b, "/never.py");
	assert_int_equal(lineset_add(&get_file(&b, "/x.py")->executable, 9), 0);
	assert_int_equal(record_file_add_function(&b, get_file(&b, "/x.py"), "f", 2, NULL), 0);
	assert_int_equal(record_merge(&a, &b), 0);
	assert_int_equal(record_merge(&a, &a), 0);
	file = record_file_find(&a, "/x.py");
	assert_int_equal(a.files.count, 2);
	assert_int_equal(file->n_lines, 2);
	assert_string_equal(file->lines[0].context->name, "one");
	assert_int_equal(file->lines[0].lines.count, 2);
	assert_int_equal(file->lines[1].lines.count, 1);
	assert_int_equal(file->functions.count, 1);
	assert_true(lineset_test(&file->executable, 9));
	assert_int_equal(record_file_find(&b, "/x.py")->executable.count, 1);
}

static void test_many_files(void **state)
{
	enum { N = 100000 };
	_cleanup_record_ struct record rec;
	_cleanup_free_ struct record_file **files = NULL;
	char path[32];
	size_t n;

	record_init(&rec);
	for (unsigned int i = 0; i < 2 * N; i++) {
		snprintf(path, sizeof(path), "/srv/app/m%06u.py", i * 7919u % N);
		add_line(&rec, path, "", i + 1);
	}
	assert_int_equal(record_sorted_files(&rec, &files, &n), 0);
	assert_int_equal(n, N);
	for (size_t i = 1; i < n; i++)
		assert_true(strcmp(files[i - 1]->path, files[i]->path) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files), cmocka_unit_test(test_contexts),	 cmocka_unit_test(test_functions),
		cmocka_unit_test(test_merge), cmocka_unit_test(test_many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
