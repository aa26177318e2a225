#include "selection/glob.h"
#include "selection/interpreter_facts.h"
#include "selection/rootpath.h"
#include "selection/selection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* What coverage.py 7.17.3 says: globs_to_regex([pattern]).match(path); 'E' is a ConfigError. */
static const struct {
	const char *pattern, *path;
	char verdict;
} globs[] = {
	{"a.py", "/x/a.py", '1'},
	{"a.py", "a.py", '1'},
	{"a.py", "/x/ba.py", '0'},
	{"a.py", "/x/a.py/b", '0'},
	{"*.py", "/x/y/a.py", '1'},
	{"*.py", "/x/y/a.pyc", '0'},
	{"", "/x/", '1'},
	{"", "/x", '0'},
	{"*", "/x/y", '1'},
	{"?.py", "/x/\xc3\xa9.py", '1'},
	{"?.py", "/x/\xff.py", '1'},
	{"?.py", "/x/ab.py", '0'},
	{"/x/*.py", "/x/a.py", '1'},
	{"/x/*.py", "/x/y/a.py", '0'},
	{"/x/?/a.py", "/x/y/a.py", '1'},
	{"/x?a.py", "/x/a.py", '0'},
	{"/x/*", "/x/y/z/a.py", '1'},
	{"/x/*", "/x/", '1'},
	{"/x/*", "/x", '0'},
	{"/x/**", "/x/y/z/a.py", '1'},
	{"*/y/*", "/x/y/a.py", '1'},
	{"*/y/*", "y/a.py", '1'},
	{"*/y/*", "/w/x/y/z/a.py", '1'},
	{"*/y/*", "/w/xy/z/a.py", '0'},
	{"**/y/a.py", "y/a.py", '1'},
	{"**/y/a.py", "/x/y/a.py", '1'},
	{"/x/**/a.py", "/x/a.py", '1'},
	{"/x/**/a.py", "/x/y/z/a.py", '1'},
	{"/x/**/a.py", "/x/y/za.py", '0'},
	{"/x/*/a.py", "/x/y/z/a.py", '0'},
	{"x/y", "/x/y", '0'},
	{"x\\y", "x/y", '1'},
	{"x/y", "x\\y", '1'},
	{"[ab].py", "/x/a.py", '1'},
	{"[ab].py", "/x/c.py", '0'},
	{"[a-c]x", "bx", '1'},
	{"[^a].py", "/x/b.py", '1'},
	{"[^a].py", "/x/a.py", '0'},
	{"[!a].py", "/x/!.py", '1'},
	{"[!a].py", "/x/b.py", '0'},
	{"[a-]x", "-x", '1'},
	{"[-a]x", "-x", '1'},
	{"a.b", "axb", '0'},
	{"a+(b)", "a+(b)", '1'},
	{"*/", "/x/", '1'},
	{"*/**", "/x/y", '1'},
	{"***", "", 'E'},
	{"**", "", 'E'},
	{"x**", "", 'E'},
	{"**x", "", 'E'},
	{"x/**y", "", 'E'},
	{"**/**", "", 'E'},
	{"a/**/**/b", "", 'E'},
	{"[a", "", 'E'},
	{"a]", "", 'E'},
	{"[c-a]", "", 'E'},
	/* no error there, but a set that swallows what coverage.py puts behind it */
	{"[]", "", 'E'},
	{"[^]", "", 'E'},
};

static void test_globs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
		struct glob *glob = NULL;
		char why[200] = "", verdict;
		int r = glob_new(globs[i].pattern, why, sizeof(why), &glob);

		verdict = r < 0 ? 'E' : glob_match(glob, globs[i].path) ? '1' : '0';
		if (verdict != globs[i].verdict)
			fail_msg("%s on %s: %c", globs[i].pattern, globs[i].path, verdict);
		if (r < 0) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(why, globs[i].pattern));
		}
		glob_free(glob);
	}
}

/* Rows of pattern, path, verdict and length of the longest beginning that matches; the texts are hexadecimal. */
static const char script[] =
	"import re, sys\n"
	"from coverage.exceptions import ConfigError\n"
	"from coverage.files import globs_to_regex\n"
	"def u(h): return bytes.fromhex(h).decode('utf-8', 'surrogateescape')\n"
	"for row in sys.stdin.read().split('\\n')[:-1]:\n"
	"    pattern, path, verdict, length = row.split(',')\n"
	"    try:\n"
	"        v = '01'[globs_to_regex([u(pattern)]).match(u(path)) is not None]\n"
	"        m = globs_to_regex([u(pattern)], case_insensitive=True, partial=True).match(u(path))\n"
	"        n = len(m[0].encode('utf-8', 'surrogateescape')) if m else 0\n"
	"    except (ConfigError, re.error): v, n = 'E', 0\n"
	"    if v != verdict or str(n) != length: sys.exit(repr((u(pattern), u(path), v, n, verdict, length)))\n";

static void write_row(FILE *f, const char *pattern, const char *path)
{
	struct glob *glob = NULL;
	char verdict = 'E';
	size_t length = 0;

	if (glob_new(pattern, NULL, 0, &glob) == 0) {
		verdict = glob_match(glob, path) ? '1' : '0';
		length = glob_match_prefix(glob, path);
	}
	glob_free(glob);
	for (const char *s = pattern; *s; s++)
		fprintf(f, "%02x", (unsigned char)*s);
	fputc(',', f);
	for (const char *s = path; *s; s++)
		fprintf(f, "%02x", (unsigned char)*s);
	fprintf(f, ",%c,%zu\n", verdict, length);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static void put_together(uint32_t *state, const char *const *pieces, size_t n, char *text)
{
	*text = '\0';
	for (size_t i = next_random(state) % 8; i > 0; i--)
		strcat(text, pieces[next_random(state) % n]);
}

static void write_random_rows(FILE *f, size_t n)
{
	static const char *const parts[] = {"*", "**",	"*",	"?",	"/",	"/",	 "/",  "**/", "a",	  "b",
					    "A", ".py", "[ab]", "[^a]", "[!b]", "[a-c]", "\\", "-",   "\xc3\xa9", "."};
	static const char *const names[] = {"/",   "/",	       "/",    "a",  "b", "A", "c",
					    ".py", "\xc3\xa9", "\xff", "\\", "-", "!", "\n"};
	uint32_t state = 11;

	for (size_t i = 0; i < n; i++) {
		char pattern[64], path[64];

		put_together(&state, parts, ARRAY_SIZE(parts), pattern);
		put_together(&state, names, ARRAY_SIZE(names), path);
		/* as [paths] has them: what is not is never asked for a beginning */
		if (next_random(&state) % 2)
			strcat(pattern, "/");
		write_row(f, pattern, path);
	}
}

/** The table itself against coverage.py. $PYCOV_TRACE_COVERAGE: interpreters that have it. */
static void test_globs_of_coverage(void **state)
{
	_cleanup_free_ char *python = strdup(getenv("PYCOV_TRACE_COVERAGE") ?: "");
	char command[2048];
	FILE *f;

	if (!*python) {
		print_message("PYCOV_TRACE_COVERAGE names no interpreter with coverage\n");
		skip();
	}
	python[strcspn(python, " ")] = '\0'; /* the first has the newest coverage.py */
	snprintf(command, sizeof(command), "%s -W ignore -c \"%s\"", python, script);
	f = popen(command, "w");
	assert_non_null(f);
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++)
		write_row(f, globs[i].pattern, globs[i].path);
	write_random_rows(f, 20000);
	assert_int_equal(pclose(f), 0);
}

static void test_glob_time(void **state)
{
	char pattern[401] = "", path[4001];
	struct glob *glob;

	for (size_t i = 0; i < 200; i++)
		strcat(pattern, "*a");
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	path[sizeof(path) - 2] = 'b';
	assert_int_equal(glob_new(pattern, NULL, 0, &glob), 0);
	assert_false(glob_match(glob, path));
	glob_free(glob);
}

/*
 * A root directory of its own:
 *
 *     /usr/bin/python3.11, /usr/lib/python3.11, /usr/lib/python3/dist-packages: an interpreter
 *     /venv: a virtual environment of it, with a project in it
 *     /srv/app: a project with packages, links, and a namespace package
 */
static const char make_root[] =
	"cd '%s' && mkdir -p usr/bin usr/lib/python3.11/encodings usr/lib/python3/dist-packages/dj "
	"usr/local/lib/python3.11/dist-packages etc/python3.11 home/u venv/bin venv/project "
	"venv/lib/python3.11/site-packages/inst srv/app/pkg/sub srv/app/pkg/data srv/app/ns/deep && "
	"touch usr/bin/python3.11 usr/lib/python3.11/os.py usr/lib/python3.11/encodings/__init__.py "
	"usr/lib/python3/dist-packages/dj/__init__.py "
	"venv/project/p.py venv/lib/python3.11/site-packages/inst/__init__.py "
	"etc/python3.11/sitecustomize.py "
	"srv/app/prog.py srv/app/pkg/__init__.py srv/app/pkg/a.py srv/app/pkg/sub/__init__.py "
	"srv/app/pkg/sub/b.py srv/app/pkg/data/c.py srv/app/pkg/d~.py srv/app/pkg/e.f.py "
	"srv/app/pkg/g.pyw srv/app/ns/deep/m.py && "
	"ln -s /etc/python3.11/sitecustomize.py usr/lib/python3.11/sitecustomize.py && "
	"ln -s /srv/app/pkg srv/app/link && ln -s ../prog.py srv/app/pkg/h.py && "
	"ln -s /usr/bin/python3.11 venv/bin/python && ln -s loop srv/loop && "
	"ln -s / srv/app/rootlink && ln -s ../../../../../etc srv/app/up && "
	"printf 'include-system-site-packages = false\\nhome = /usr/bin\\n' > venv/pyvenv.cfg";

struct fixture {
	char root[64];
	struct interpreter_facts facts;
	struct selection *sel;
	struct verdict verdict;
};

static int run(const char *fmt, const char *arg)
{
	char command[4096];

	snprintf(command, sizeof(command), fmt, arg);
	return system(command);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct interpreter_hints hints = {
		.root = f->root,
		.major = 3,
		.minor = 11,
		.executable = "/usr/bin/python3.11",
		.home = "/home/u",
	};

	strcpy(f->root, "/tmp/test_selection.XXXXXX");
	if (!mkdtemp(f->root) || run(make_root, f->root) != 0)
		return -1;
	*state = f;
	return interpreter_facts_init(&f->facts, &hints);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = run("rm -rf %s", f->root);

	verdict_deinit(&f->verdict);
	selection_free(f->sel);
	interpreter_facts_deinit(&f->facts);
	free(f);
	return r;
}

static void test_real_paths(void **state)
{
	static const struct {
		const char *path, *real;
	} rows[] = {
		{"/", "/"},
		{"/srv/app/prog.py", "/srv/app/prog.py"},
		{"//srv/./app/../app//prog.py", "/srv/app/prog.py"},
		{"/srv/app/link/a.py", "/srv/app/pkg/a.py"},
		{"/srv/app/link", "/srv/app/pkg"},
		{"/srv/app/link/../prog.py", "/srv/app/prog.py"},
		{"/srv/app/pkg/h.py", "/srv/app/prog.py"},
		{"/srv/app/rootlink/srv/app/link/a.py", "/srv/app/pkg/a.py"},
		{"/srv/app/rootlink", "/"},
		{"/srv/app/up/python3.11", "/etc/python3.11"},
		{"/../../srv", "/srv"},
		{"/nowhere/x/../y.py", "/nowhere/y.py"},
		{"/usr/lib/python3.11/sitecustomize.py", "/etc/python3.11/sitecustomize.py"},
	};
	struct fixture *f = *state;
	_cleanup_free_ char *loop = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *real = NULL;

		assert_int_equal(rootpath_real(&f->facts.root, rows[i].path, &real), 0);
		assert_string_equal(real, rows[i].real);
	}
	assert_int_equal(rootpath_real(&f->facts.root, "/srv/loop/x", &loop), 0);
	assert_string_equal(loop, "/srv/loop/x");
	assert_true(path_is_within("/a/b", "/a"));
	assert_true(path_is_within("/a", "/a"));
	assert_true(path_is_within("/a", "/"));
	assert_false(path_is_within("/ab", "/a"));
}

static void test_prefixes(void **state)
{
	struct fixture *f = *state;
	_cleanup_interpreter_facts_ struct interpreter_facts venv, none;
	struct interpreter_hints hints = {
		.root = f->root,
		.major = 3,
		.minor = 11,
		.executable = "/venv/bin/python",
	};

	assert_string_equal(f->facts.prefix, "/usr");
	assert_string_equal(f->facts.base_prefix, "/usr");
	assert_int_equal(interpreter_facts_init(&venv, &hints), 0);
	assert_string_equal(venv.prefix, "/venv");
	assert_string_equal(venv.base_prefix, "/usr");
	hints.executable = "/nowhere/python";
	assert_int_equal(interpreter_facts_init(&none, &hints), 0);
	assert_null(none.prefix);
	assert_int_equal(none.third_party.n, 0);
}

static void test_stdlib_of(void **state)
{
	static const struct {
		const char *path, *stdlib;
	} rows[] = {
		{"/usr/lib/python3.11/encodings/__init__.py", "/usr/lib/python3.11"},
		{"/x/python3.11/lib/python3.11/os.py", "/x/python3.11/lib/python3.11"},
		{"/o/lib/python3.11t/lib-dynload/_ssl.so", "/o/lib/python3.11t"},
		{"/usr/lib/python3.11/site-packages/os.py", NULL},
		{"/usr/lib/python3.12/os.py", NULL},
		{"/home/u/python3.11/prog.py", NULL},
		{"python3.11/os.py", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *stdlib = interpreter_stdlib_of(rows[i].path, 3, 11);

		if (rows[i].stdlib)
			assert_string_equal(stdlib, rows[i].stdlib);
		else
			assert_null(stdlib);
	}
}

static void use(struct fixture *f, const struct selection_options *options)
{
	char why[200] = "";

	selection_free(f->sel);
	f->sel = NULL;
	if (selection_new(options, why, sizeof(why), &f->sel) < 0)
		fail_msg("%s", why);
}

/** Judge @p path; "" means in. */
static const char *judge(struct fixture *f, const char *path)
{
	assert_int_equal(selection_judge(f->sel, &f->facts, path, &f->verdict), 0);
	assert_true(f->verdict.reason[0] || !f->verdict.path);
	return f->verdict.in ? "" : f->verdict.reason;
}

static void test_default(void **state)
{
	struct fixture *f = *state;

	use(f, &(struct selection_options){0});
	assert_string_equal(judge(f, "/srv/app/link/a.py"), "");
	assert_string_equal(f->verdict.path, "/srv/app/pkg/a.py");
	assert_string_equal(judge(f, "/usr/lib/python3.11/os.py"), "in the standard library");
	assert_string_equal(judge(f, "/usr/lib/python3.11/sitecustomize.py"), "in the standard library");
	assert_string_equal(judge(f, "/usr/lib/python3.11/site-packages/x.py"), "a third-party module");
	assert_string_equal(judge(f, "/usr/lib/python3/dist-packages/dj/__init__.py"), "a third-party module");
	assert_string_equal(judge(f, "/usr/local/lib/python3.11/dist-packages/x.py"), "a third-party module");
	assert_string_equal(judge(f, "/usr/bin/tool"), "a third-party module");
	assert_string_equal(judge(f, "/home/u/.local/lib/python3.11/site-packages/x.py"), "a third-party module");
	assert_string_equal(judge(f, "/home/u/x.py"), "");
	assert_string_equal(judge(f, "/usr/share/x.py"), "");
	assert_string_equal(judge(f, "<string>"), "not the name of a file");
	assert_null(f->verdict.path);
	assert_string_equal(judge(f, ""), "it has no name");
	assert_string_equal(judge(f, "memory:x"), "in memory, not a file");
	assert_string_equal(judge(f, "x.py"), "a relative name of an unknown directory");
	assert_string_equal(judge(f, "/srv/\xff.py"), "its name is not UTF-8");
	use(f, &(struct selection_options){.pylib = true});
	assert_string_equal(judge(f, "/usr/lib/python3.11/os.py"), "");
	assert_string_equal(judge(f, "/usr/bin/tool"), "a third-party module");
}

static void test_venv(void **state)
{
	static const char *const entries[] = {"/srv/app", "/venv/project", "/nowhere"};
	struct fixture *f = *state;

	use(f, &(struct selection_options){0});
	/* sys.path unknown */
	assert_string_equal(judge(f, "/venv/project/p.py"), "a third-party module");
	assert_int_equal(interpreter_facts_set_sys_path(&f->facts, entries, 1), 0);
	assert_string_equal(judge(f, "/venv/project/p.py"), "");
	assert_int_equal(interpreter_facts_set_sys_path(&f->facts, entries, 3), 0);
	assert_string_equal(judge(f, "/venv/project/p.py"), "a third-party module");
	assert_string_equal(judge(f, "/srv/app/prog.py"), "");
}

static void test_include_and_omit(void **state)
{
	static const char *const include[] = {"/srv/*", "prog.py", NULL};
	static const char *const omit[] = {"*/sub/*", NULL};
	struct fixture *f = *state;

	use(f, &(struct selection_options){.include = include, .omit = omit});
	assert_string_equal(judge(f, "/srv/app/pkg/a.py"), "");
	assert_string_equal(judge(f, "/usr/lib/python3.11/prog.py"), "");
	assert_string_equal(judge(f, "/home/u/x.py"), "outside of --include");
	assert_string_equal(judge(f, "/srv/app/pkg/sub/b.py"), "inside --omit");
	use(f, &(struct selection_options){.omit = omit});
	assert_string_equal(judge(f, "/home/u/x.py"), "");
	assert_string_equal(judge(f, "/srv/app/pkg/sub/b.py"), "inside --omit");
}

static void test_source_packages(void **state)
{
	static const char *const source[] = {"pkg.sub", "ns", "inst", NULL};
	static const char *const entries[] = {"/srv/app"};
	struct fixture *f = *state;
	struct interpreter_hints hints = {
		.root = f->root,
		.major = 3,
		.minor = 11,
		.executable = "/venv/bin/python",
		.sys_path = entries,
		.n_sys_path = 1,
	};

	interpreter_facts_deinit(&f->facts);
	assert_int_equal(interpreter_facts_init(&f->facts, &hints), 0);
	use(f, &(struct selection_options){.source = source});
	assert_true(selection_has_source(f->sel));
	assert_string_equal(judge(f, "/srv/app/pkg/sub/b.py"), "");
	assert_string_equal(judge(f, "/srv/app/pkg/sub/__init__.py"), "");
	assert_string_equal(judge(f, "/srv/app/pkg/a.py"), "module 'pkg.a' is outside of --source");
	assert_string_equal(judge(f, "/srv/app/ns/deep/m.py"), "");
	assert_string_equal(judge(f, "/venv/lib/python3.11/site-packages/inst/__init__.py"), "");
	assert_string_equal(judge(f, "/usr/lib/python3.11/encodings/__init__.py"),
			    "module 'encodings' is outside of --source");
}

static void test_source_dirs(void **state)
{
	struct fixture *f = *state;
	char dir[128], in[128], third[192];
	const char *const source[] = {dir, NULL};
	struct interpreter_hints hints = {
		.major = 3,
		.minor = 11,
		.prefix = third,
		.base_prefix = "/usr",
	};

	/* in our own root this time: that is where --source looks for directories */
	snprintf(dir, sizeof(dir), "%s/srv/app/../app", f->root);
	snprintf(third, sizeof(third), "%s/srv/app/pkg", f->root);
	interpreter_facts_deinit(&f->facts);
	assert_int_equal(interpreter_facts_init(&f->facts, &hints), 0);
	use(f, &(struct selection_options){.source = source, .include = source});
	assert_true(selection_include_is_ignored(f->sel));
	snprintf(in, sizeof(in), "%s/srv/app/link/a.py", f->root);
	assert_string_equal(judge(f, in), "outside of --source");
	snprintf(in, sizeof(in), "%s/srv/app/prog.py", f->root);
	assert_string_equal(judge(f, in), "");
	assert_string_equal(judge(f, "/srv/app/prog.py"), "outside of --source");
	snprintf(third, sizeof(third), "%s/srv/app/pkg/lib/python3.11/site-packages/x.py", f->root);
	assert_string_equal(judge(f, third), "inside --source, but third-party");
}

static void test_wrong_settings(void **state)
{
	const struct {
		struct selection_options options;
		const char *named;
	} rows[] = {
		{{.source_dirs = (const char *const[]){"/nowhere", NULL}}, "/nowhere"},
		{{.source = (const char *const[]){"/", NULL}}, "/"},
		{{.include = (const char *const[]){"a**b", NULL}}, "a**b"},
		{{.omit = (const char *const[]){"x.py", "[c-a]", NULL}}, "[c-a]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct selection *sel = NULL;
		char why[200] = "";

		assert_int_equal(selection_new(&rows[i].options, why, sizeof(why), &sel), -EINVAL);
		assert_non_null(strstr(why, rows[i].named));
		assert_null(sel);
	}
}

static int collect(void *arg, const char *path)
{
	strcat(arg, strstr(path, "/srv/") ?: path);
	strcat(arg, " ");
	return 0;
}

static int stop(void *arg, const char *path)
{
	return -ECANCELED;
}

static void test_unexecuted_files(void **state)
{
	static const char *const packages[] = {"pkg", "pkg.a", "ns", "nowhere", NULL};
	static const char *const omit[] = {"a.py", NULL};
	static const char *const entries[] = {"/srv/app"};
	struct fixture *f = *state;
	char dir[128], text[2000] = "";
	const char *const source[] = {dir, NULL};
	_cleanup_dir_cache_ struct dir_cache dirs;

	dir_cache_init(&dirs);
	snprintf(dir, sizeof(dir), "%s/srv/app", f->root);
	use(f, &(struct selection_options){.source = source, .omit = omit});
	assert_int_equal(selection_unexecuted_files(f->sel, &dirs, collect, text), 0);
	/* a link to a file counts, one with an absolute target leads nowhere here */
	assert_string_equal(text,
			    "/srv/app/prog.py /srv/app/pkg/__init__.py /srv/app/pkg/g.pyw "
			    "/srv/app/prog.py /srv/app/pkg/sub/__init__.py "
			    "/srv/app/pkg/sub/b.py ");
	assert_int_equal(selection_unexecuted_files(f->sel, &dirs, stop, NULL), -ECANCELED);
	text[0] = '\0';
	assert_int_equal(interpreter_facts_set_sys_path(&f->facts, entries, 1), 0);
	use(f, &(struct selection_options){.source_pkgs = packages, .namespace_packages = true});
	assert_int_equal(selection_unexecuted_files(f->sel, &dirs, collect, text), 0);
	assert_string_equal(text, "");
	assert_string_equal(judge(f, "/srv/app/pkg/__init__.py"), "");
	assert_true(f->verdict.is_package);
	assert_string_equal(judge(f, "/srv/app/pkg/a.py"), "");
	assert_false(f->verdict.is_package);
	assert_int_equal(selection_unexecuted_in(f->sel, &dirs, &f->facts, "/srv/app/pkg", collect, text), 0);
	assert_string_equal(text,
			    "/srv/app/pkg/__init__.py /srv/app/pkg/a.py /srv/app/pkg/g.pyw "
			    "/srv/app/prog.py /srv/app/pkg/data/c.py "
			    "/srv/app/pkg/sub/__init__.py /srv/app/pkg/sub/b.py ");
}

static int any_entry(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void assert_listing(struct dir_cache *cache, const char *dir, const char *expected)
{
	const struct dir_listing *listing;
	char text[200] = "";

	assert_int_equal(dir_cache_read(cache, dir, any_entry, &listing), 0);
	for (int i = 0; i < listing->n; i++) {
		strcat(text, listing->entries[i]->d_name);
		strcat(text, " ");
	}
	assert_string_equal(text, expected);
}

/** What changes is seen: in a directory that is new, and in one that was kept for some time. */
static void test_dir_cache(void **state)
{
	const struct dir_listing *listing;
	_cleanup_dir_cache_ struct dir_cache cache;
	char dir[64] = "/tmp/test_selection.XXXXXX", path[128];

	dir_cache_init(&cache);
	assert_non_null(mkdtemp(dir));
	assert_listing(&cache, dir, "");
	snprintf(path, sizeof(path), "%s/b", dir);
	assert_int_equal(mkdir(path, 0777), 0);
	assert_listing(&cache, dir, "b ");
	sleep(6);
	assert_listing(&cache, dir, "b ");
	assert_listing(&cache, dir, "b ");
	snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(mkdir(path, 0777), 0);
	assert_listing(&cache, dir, "a b ");
	assert_int_equal(rmdir(path), 0);
	assert_listing(&cache, dir, "b ");
	snprintf(path, sizeof(path), "%s/b", dir);
	assert_int_equal(rmdir(path), 0);
	assert_listing(&cache, dir, "");
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(dir_cache_read(&cache, dir, any_entry, &listing), -ENOENT);
}

#define fixture_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs),	     cmocka_unit_test(test_globs_of_coverage),
		cmocka_unit_test(test_glob_time),    fixture_test(test_real_paths),
		fixture_test(test_prefixes),	     cmocka_unit_test(test_stdlib_of),
		fixture_test(test_default),	     fixture_test(test_venv),
		fixture_test(test_include_and_omit), fixture_test(test_source_packages),
		fixture_test(test_source_dirs),	     cmocka_unit_test(test_wrong_settings),
		fixture_test(test_unexecuted_files), cmocka_unit_test(test_dir_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
