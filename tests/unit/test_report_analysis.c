#include "report/analyze.h"
#include "report/guess.h"
#include "report/names.h"
#include "report/report_cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The defaults of coverage.py. */
static const char *const default_exclude[] = {
	"#\\s*(pragma|PRAGMA)[:\\s]?\\s*(no|NO)\\s*(cover|COVER)",
	"^\\s*(((async )?def .*?)?[\\])]+(\\s*->.*?)?:\\s*)?\\.\\.\\.\\s*(#|$)",
	"^\\s*if (typing\\.)?TYPE_CHECKING:",
};

static struct line_regex *regex_of(const char *const *patterns, size_t n)
{
	struct string_list list = {(char **)patterns, n};
	struct line_regex *regex;
	char why[256];

	assert_int_equal(line_regex_new(&list, why, sizeof(why), &regex), 0);
	return regex;
}

/* A file of which everything with code has that code, guessed, and the lines at @ran ran. */
struct fixture {
	struct record_lines lines;
	struct record_context context;
	struct record_file file;
	struct line_regex *exclude;
	struct analyzer with;
	struct analysis a;
	char why[ANALYZE_WHY_MAX];
};

static int begin(struct fixture *f, const char *source, size_t size, const uint32_t *ran)
{
	*f = (struct fixture){.context = {.name = (char *)""}};
	f->lines.context = &f->context;
	for (; ran && *ran; ran++)
		assert_int_equal(lineset_add(&f->lines.lines, *ran), 0);
	f->file = (struct record_file){.path = (char *)"/x.py", .lines = &f->lines, .n_lines = 1};
	f->exclude = regex_of(default_exclude, ARRAY_SIZE(default_exclude));
	f->with.exclude = f->exclude;
	return analyze_bytes(&f->with, &f->file, "x.py", source, size, f->why, &f->a);
}

static void end(struct fixture *f)
{
	analysis_deinit(&f->a);
	lineset_deinit(&f->lines.lines);
	line_regex_free(f->exclude);
}

static void show(const struct analysis *a, uint8_t mask, uint8_t wanted, char text[200])
{
	*text = 0;
	for (uint32_t line = 1; line <= a->n_lines + 1; line++)
		if ((a->lines[line] & mask) == wanted)
			snprintf(text + strlen(text), 200 - strlen(text), *text ? " %u" : "%u", line);
}

/* What coverage.py 7.17.3 says of the same text with CPython 3.13. */
static const struct {
	const char *source, *statements, *excluded;
} examples[] = {
	{"", "", ""},
	{"# nothing\n\n", "", ""},
	{"'''doc\nstring'''\nx = 1\n", "3", ""},
	{"x = 1; 'no doc'\n", "1", ""},
	{"def f():\n\t'doc'\n\treturn 1\n", "1 3", ""},
	{"def f(): 'doc'\n", "", ""},
	{"class A:\n  ('doc'\n   'string')\n  x = 1\n", "1 4", ""},
	{"x = (1,\n  2,\n\n  3)\ny = 2\n", "1 5", ""},
	{"x = 1 + \\\n  2\ny\n", "1 3", ""},
	{"if a:  # pragma: no cover\n  b\n  c\nelse:\n  d\n", "5", "1 2 3"},
	{"if a:\n  b\nelse:  # pragma: no cover\n  d\n", "1 2", "3 4"},
	{"if a:\n  b\nelif c: # pragma: no cover\n  d\nelse:\n  e\n", "1 2 6", "3 4"},
	{"@dec  # pragma: no cover\n@dec2\ndef f(a,\n      b):\n  return 1\n\n  # c\n  x\ny\n", "9", "1 2 3 4 5 6 7 8"},
	{"def f(\n  a):  # pragma: no cover\n  return 1\nx\n", "4", "1 2 3"},
	{"def f(): ...\nclass A: ...\nasync def g(a) -> int: ...\n", "2", "1 3 4"},
	{"if TYPE_CHECKING:\n  import a\nx\n", "3", "1 2"},
	{"match x:\n  case 1: y\n  case _:\n    pass  # pragma: no cover\n", "1 2", "3 4"},
	{"match x:\n  case 1: y\n  case (2 | _):\n    pass  # pragma: no cover\n", "1 2", "3 4"},
	{"match x:\n  case 1: y\n  case _ if z:\n    pass  # pragma: no cover\n", "1 2 3", "4"},
	{"match = case = 1\nmatch[0] = match(2)\nmatch: int = 3\n", "1 2 3", ""},
	{"try:\n  a\nexcept A:  # pragma: no cover\n  b\nfinally:\n  c\n", "1 2 6", "3 4"},
	{"x = f'''{a['b']}\n  # pragma: no cover\n'''\ny\n", "4", "1"},
	{"x = f\"{'\"'}{{\" ; y = '#'\nz = r'\\'\n'\n", NULL, NULL},
	{"x = f\"{a:{b}}{c!r:>{d}}{e['\"']}\"\ny\n", "1 2", ""},
	{"if x:\n  y\n z\n", NULL, NULL},
	{"x = (1\n", NULL, NULL},
	{"x = '\n", NULL, NULL},
	{"else:\n  x\n", NULL, NULL},
	{"def f():\n", NULL, NULL},
	{"global x\nx: int\ndef f():\n  y: int\n  global z\n  return\n  dead\n", "2 3 6", ""},
	{"while True:\n  break\nx\nwhile 1:\n  y\nz\n", "1 2 3 4 5", ""},
	{"if 0:\n  a\nelse:\n  b\nif not 0:\n  c\nelse:\n  d\n", "1 4 5 6", ""},
	{"x = 1\r\ny = 2\rif x:\f\n  z\n", "1 2 3 4", ""},
	{"\xef\xbb\xbfx = '\xc3\xa4'\n", "1", ""},
	{"# coding: latin-1\nx = '\xe4'  # pragma: no cover\n", "", "2"},
	{"# coding: no-such\nx = '\xe4'\n", NULL, NULL},
	{"x = 1\n...", "1", "2 3"},
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct fixture f;
		int r = begin(&f, examples[i].source, strlen(examples[i].source), NULL);
		char statements[200], excluded[200];

		if (!examples[i].statements) {
			if (r != -EBADMSG)
				fail_msg("%s: it is taken for Python", examples[i].source);
			end(&f);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", examples[i].source, f.why);
		show(&f.a, LINE_STATEMENT, LINE_STATEMENT, statements);
		show(&f.a, LINE_EXCLUDED, LINE_EXCLUDED, excluded);
		if (strcmp(statements, examples[i].statements) || strcmp(excluded, examples[i].excluded))
			fail_msg("%s: %s; excluded %s", examples[i].source, statements, excluded);
		end(&f);
	}
}

static const char program[] =
	"def f(a):\n"	     /* 1 */
	"  if a:\n"	     /* 2 */
	"    b = [1,\n"	     /* 3 */
	"         2]\n"	     /* 4 */
	"    return b\n"     /* 5 */
	"  class B:\n"	     /* 6 */
	"    def m(self):\n" /* 7 */
	"      pass\n"	     /* 8 */
	"\n"		     /* 9 */
	"f(0)\n";	     /* 10 */

static void test_missing(void **state)
{
	static const uint32_t ran[] = {1, 2, 6, 7, 10, 4711, 0};
	_cleanup_free_ char *text = NULL;
	struct fixture f;

	assert_int_equal(begin(&f, program, strlen(program), ran), 0);
	assert_int_equal(analysis_missing_text(&f.a, &text), 0);
	assert_string_equal(text, "3-5, 8");
	assert_int_equal(f.a.numbers.n_statements, 8);
	assert_int_equal(f.a.numbers.n_missing, 3);
	assert_int_equal(analysis_first_line(&f.a, 4), 3);
	end(&f);
}

/* An inner line of a statement makes its first line executed. */
static void test_inner_line(void **state)
{
	static const uint32_t ran[] = {4, 0};
	struct fixture f;

	assert_int_equal(begin(&f, program, strlen(program), ran), 0);
	assert_false(analysis_is_missing(&f.a, 3));
	assert_int_equal(f.a.numbers.n_missing, 7);
	end(&f);
}

static void test_regions(void **state)
{
	static const uint32_t ran[] = {1, 2, 8, 0};
	struct analysis_regions regions;
	struct numbers n;
	struct fixture f;

	assert_int_equal(begin(&f, program, strlen(program), ran), 0);
	assert_int_equal(analysis_regions(&f.a, &regions), 0);
	assert_int_equal(regions.n, 3);
	assert_string_equal(regions.regions[0].name, "f");
	assert_string_equal(regions.regions[1].name, "f.B");
	assert_string_equal(regions.regions[2].name, "f.B.m");
	assert_int_equal(regions.regions[0].first_line, 2);
	assert_int_equal(regions.regions[0].last_line, 7);
	assert_int_equal(regions.class_of[8], 2);
	n = analysis_region_numbers(&f.a, &regions, REGION_FUNCTION, 1);
	assert_int_equal(n.n_statements, 5);
	assert_int_equal(n.n_missing, 4);
	n = analysis_region_numbers(&f.a, &regions, REGION_CLASS, 2);
	assert_int_equal(n.n_statements, 1);
	assert_int_equal(n.n_missing, 0);
	n = analysis_region_numbers(&f.a, &regions, REGION_FUNCTION, 0);
	assert_int_equal(n.n_statements, 2);
	analysis_regions_deinit(&regions);
	end(&f);
}

static void test_branches(void **state)
{
	struct record_arc arcs[] = {{-1, 1}, {1, 10}, {10, -1}, {-1, 2}, {2, 6}};
	struct record_lines lines = {
		.context = &(struct record_context){.name = (char *)""}, .arcs = arcs, .n_arcs = ARRAY_SIZE(arcs)};
	struct record_file file = {.path = (char *)"/x.py", .lines = &lines, .n_lines = 1};
	struct analyzer with = {.has_arcs = true};
	_cleanup_free_ char *text = NULL;
	char why[ANALYZE_WHY_MAX];
	struct analysis a;

	for (uint32_t line = 1; line <= 10; line++)
		if (line != 3 && line != 5 && line != 8)
			assert_int_equal(lineset_add(&lines.lines, line), 0);
	assert_int_equal(analyze_bytes(&with, &file, "x.py", program, strlen(program), why, &a), 0);
	assert_int_equal(a.n_branches, 2);
	assert_int_equal(a.branches[0].from, 2);
	assert_int_equal(a.branches[0].to, 3);
	assert_true(a.branches[0].missing);
	assert_true(a.branches[1].executed);
	assert_int_equal(a.numbers.n_branches, 2);
	assert_int_equal(a.numbers.n_missing_branches, 1);
	assert_int_equal(analysis_missing_text(&a, &text), 0);
	assert_string_equal(text, "2->3, 5, 8");
	analysis_deinit(&a);
	lineset_deinit(&lines.lines);
}

/* Without a source there are numbers, if the lines with code were recorded. */
static void test_no_source(void **state)
{
	struct record_file file = {.path = (char *)"/no/such/file.py"};
	struct analyzer with = {0};
	char why[ANALYZE_WHY_MAX];
	struct analysis a;

	assert_int_equal(analyze(&with, &file, "file.py", why, &a), -ENOENT);
	assert_string_equal(why, "No source for code: '/no/such/file.py'.");
	assert_int_equal(lineset_add(&file.executable, 3), 0);
	assert_int_equal(analyze(&with, &file, "file.py", why, &a), 0);
	assert_int_equal(a.numbers.n_statements, 1);
	assert_int_equal(a.numbers.n_missing, 1);
	analysis_deinit(&a);
	assert_int_equal(lineset_add(&file.executable, LINESET_MAX), 0);
	assert_int_equal(analyze(&with, &file, "file.py", why, &a), -EFBIG);
	lineset_deinit(&file.executable);
}

static void test_percent(void **state)
{
	static const struct {
		double percent;
		int precision;
		const char *text;
	} all[] = {
		{0, 0, "0"},	       {0.001, 0, "1"},	    {99.999, 0, "99"},	    {100, 0, "100"},	{50.5, 0, "50"},
		{66.6666, 2, "66.67"}, {0.0001, 2, "0.01"}, {99.9999, 3, "99.999"}, {100, 2, "100.00"},
	};
	char text[PERCENT_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		percent_format(all[i].percent, all[i].precision, text);
		assert_string_equal(text, all[i].text);
	}
}

static void test_fail_under(void **state)
{
	assert_false(report_fails_under(80, 80, 0));
	assert_true(report_fails_under(79.4, 80, 0));
	assert_false(report_fails_under(79.6, 80, 0));
	assert_true(report_fails_under(79.6, 80, 1));
	assert_true(report_fails_under(99.999, 100, 0));
	assert_true(report_fails_under(79.95, 79.99, 0));
	assert_false(report_fails_under(0, 0, 0));
}

static void test_names(void **state)
{
	static const char *const sorted[] = {"", "1.py", "2.py", "10.py", "a1b", "a01b2", "a2", "a10", "a.py", "b"};
	_cleanup_free_ char *shown = name_printable("a\033[31m\n\xc3\xa4\xff\xe2\x80\xa8.py");

	assert_string_equal(shown, "a?[31m?\xc3\xa4??.py");
	assert_int_equal(name_width("\xc3\xa4x"), 2);
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
			int r = name_compare(sorted[i], sorted[j]);

			assert_int_equal(r < 0 ? -1 : r > 0, i < j ? -1 : i > j);
		}
}

static void note_line(void *arg, uint32_t line)
{
	char *text = arg;

	snprintf(text + strlen(text), 200 - strlen(text), *text ? " %u" : "%u", line);
}

static void test_regex(void **state)
{
	static const struct {
		const char *pattern, *source, *lines;
	} all[] = {
		{"b", "a\nb\nab\n", "2 3"},
		{"b\\nc", "a\nb\nc\n", "2 3"},
		{"^$", "a\n\nb\n", "2 4"},
		{"^", "a\nb\n", "1 2 3"},
		{"\\Z", "a\nb\n", "3"},
		{"x{,2}y", "xxy\n", "1"},
		{"[[a]", "[\n", "1"},
		{"[]a]", "]\n", "1"},
		{"(?P<q>['\"]).(?P=q)", "'a'\n\"b'\n", "1"},
		{"(?i)B", "b\n", "1"},
		{"\\w", "\xc3\xa4\n", "1"},
		{"x*", "\n", "1 2"},
		{"\\u00e4|[\\U000000e5]", "a\n\xc3\xa4\n\xc3\xa5\n", "2 3"},
		{"(?P<n>a)|(?P<n>b)", "a\nb\n", "1 2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct line_regex *regex = regex_of(&all[i].pattern, 1);
		struct source source;
		char text[200] = "";

		assert_int_equal(source_decode(all[i].source, strlen(all[i].source), &source), 0);
		assert_int_equal(line_regex_each(regex, &source, note_line, text), 0);
		assert_string_equal(text, all[i].lines);
		source_deinit(&source);
		line_regex_free(regex);
	}
}

static void test_wrong_regex(void **state)
{
	struct string_list list = {(char *[]){(char *)"fine", (char *)"(wrong"}, 2};
	struct line_regex *regex;
	char why[256];

	assert_int_equal(line_regex_new(&list, why, sizeof(why), &regex), -EINVAL);
	assert_non_null(strstr(why, "(wrong"));
	assert_null(strstr(why, "fine"));
}

/* An expression that would run for years is stopped. */
static void test_endless_regex(void **state)
{
	const char *pattern = "^(a|aa)+$";
	struct line_regex *regex = regex_of(&pattern, 1);
	char text[200] = "", many[64];
	struct source source;

	memset(many, 'a', sizeof(many));
	many[60] = 'b';
	assert_int_equal(source_decode(many, sizeof(many), &source), 0);
	assert_int_equal(line_regex_each(regex, &source, note_line, text), -E2BIG);
	source_deinit(&source);
	line_regex_free(regex);
}

static void test_compiler(void **state)
{
	static const char good[] = "x = 1\ndef f():\n  y: int\n  return 2\n", bad[] = "x = = 1\n";
	struct lineset lines = {0};
	struct compiler *compiler;
	struct source source;

	assert_int_equal(compiler_new("python3", &compiler), 0);
	assert_int_equal(source_decode(good, strlen(good), &source), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(compiler_lines(compiler, &source, &lines), 0);
	assert_int_equal(lines.count, 3);
	source_deinit(&source);
	assert_int_equal(source_decode(bad, strlen(bad), &source), 0);
	assert_int_equal(compiler_lines(compiler, &source, &lines), -EBADMSG);
	compiler_free(compiler);
	assert_int_equal(compiler_new("/no/such/python", &compiler), 0);
	assert_int_equal(compiler_lines(compiler, &source, &lines), -EIO);
	compiler_free(compiler);
	source_deinit(&source);
	lineset_deinit(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),    cmocka_unit_test(test_missing),
		cmocka_unit_test(test_inner_line),  cmocka_unit_test(test_regions),
		cmocka_unit_test(test_branches),    cmocka_unit_test(test_no_source),
		cmocka_unit_test(test_percent),	    cmocka_unit_test(test_fail_under),
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_regex),
		cmocka_unit_test(test_wrong_regex), cmocka_unit_test(test_endless_regex),
		cmocka_unit_test(test_compiler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
