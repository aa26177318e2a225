/* src/report/patch.c: unified diffs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/patch.h"

static int read_text(const char *text, size_t n, struct patch *ret, unsigned long *line)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, n, "r");
	int r;

	assert_non_null(in);
	r = patch_read(in, ret, line);
	fclose(in);
	return r;
}

/* What a diff says, as "path: 1 2 3; path: 4". */
static void show(const struct patch *patch, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < patch->n; i++) {
		n += (size_t)snprintf(text + n, size - n, "%s%s:", i ? "; " : "", patch->files[i].path);
		for (uint32_t line = 0; (line = lineset_next(&patch->files[i].added, line));)
			n += (size_t)snprintf(text + n, size - n, " %u", line);
	}
}

#define expect(text, expected) expect_at(__LINE__, text, expected)

static void expect_at(int at, const char *text, const char *expected)
{
	struct patch patch;
	unsigned long line;
	char got[4096];
	int r = read_text(text, strlen(text), &patch, &line);

	if (r < 0)
		fail_msg("line %d: error %d in line %lu", at, r, line);
	show(&patch, got, sizeof(got));
	if (strcmp(got, expected))
		fail_msg("line %d: got %s", at, got);
	patch_deinit(&patch);
}

static void expect_bad(const char *text, unsigned long expected)
{
	struct patch patch;
	unsigned long line;

	assert_int_equal(read_text(text, strlen(text), &patch, &line), -EBADMSG);
	assert_int_equal(line, expected);
	patch_deinit(&patch);
}

#define HEAD "diff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n"

static void test_hunks(void **state)
{
	expect("\n", "");
	expect(HEAD "@@ -1 +1 @@ def f():\n-a\n+b\n", "x.py: 1");
	expect(HEAD "@@ -3,0 +4,2 @@\n+a\n+b\n@@ -9,2 +11,0 @@\n-a\n-b\n@@ -20 +20,2 @@\n-a\n+b\n+c\n",
	       "x.py: 4 5 20 21");
	expect(HEAD "@@ -1,3 +1,4 @@\n a\n-b\n+c\n+d\n e\n", "x.py: 2 3");
	expect(HEAD "@@ -1,2 +1,3 @@\n a\n+b\n\n", "x.py: 2"); /* the blank of an empty line was lost */
	expect(HEAD "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n", "x.py: 1");
	expect(HEAD "@@ -1 +1 @@\r\n-a\r\n+b\r\n", "x.py: 1");
	/* lines that look like headers */
	expect(HEAD "@@ -1,2 +1,2 @@\n--- a/y.py\n-@@ -1 +1 @@\n+++ b/y.py\n+diff --git a/z b/z\n", "x.py: 1 2");
}

static void test_files(void **state)
{
	expect("--- x.py\t2026-01-01 00:00:00\n+++ x.py\t2026-01-02 00:00:00\n@@ -1 +1 @@\n-a\n+b\n", "x.py: 1");
	expect(HEAD
	       "@@ -1 +1 @@\n-a\n+b\ndiff --git a/a.py b/a.py\nnew file mode 100644\n--- /dev/null\n+++ b/a.py\n"
	       "@@ -0,0 +1,2 @@\n+a\n+b\n",
	       "a.py: 1 2; x.py: 1");
	expect("diff --git a/x b/x\n--- a/x\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n--- a/z\n" HEAD
	       "@@ -1 +1 @@\n-a\n+b\n",
	       "x.py: 1");
	expect("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", "");
	expect("diff --git a/x b/x\nBinary files a/x and b/x differ\n" HEAD "@@ -1 +1 @@\n-a\n+b\n", "x.py: 1");
	/* the same file in two patches */
	expect(HEAD "@@ -1 +1 @@\n-a\n+b\n" HEAD "@@ -5 +5 @@\n-a\n+b\n", "x.py: 1 5");
	expect("From: me\nSubject: @@ -1 @@\n\n@@ nonsense\n---\n x | 1 +\n\n" HEAD
	       "@@ -1 +1 @@\n-a\n+b\n-- \n2.39\n\n",
	       "x.py: 1");
}

static void test_names(void **state)
{
	expect("--- a/a b.py\t\n+++ b/a b.py\t\n@@ -0,0 +1 @@\n+a\n", "a b.py: 1");
	expect("--- \"a/\\303\\244\\n\\\".py\"\n+++ \"b/\\303\\244\\n\\\".py\"\n@@ -0,0 +1 @@\n+a\n",
	       "\303\244\n\".py: 1");
	expect("--- i/x.py\n+++ w/x.py\n@@ -0,0 +1 @@\n+a\n", "x.py: 1");
	expect("--- b/x.py\n+++ b/x.py\n@@ -0,0 +1 @@\n+a\n", "b/x.py: 1"); /* no prefixes */
	expect("--- /dev/null\n+++ src/x.py\n@@ -0,0 +1 @@\n+a\n", "src/x.py: 1");
	/* a name that does not end is none: its hunk belongs to nobody */
	expect_bad("--- a/x\n+++ \"b/x\n@@ -0,0 +1 @@\n+a\n", 2);
}

static void test_combined(void **state)
{
	expect("diff --cc x.py\nindex 1,2..3\n--- a/x.py\n+++ b/x.py\n@@@ -1,2 -1,2 +1,4 @@@\n  same\n+ theirs\n +ours\n++both\n",
	       "x.py: 2 3 4");
	expect("diff --cc x.py\n--- a/x.py\n+++ b/x.py\n@@@ -1,2 -1,1 +1,1 @@@\n- old\n--gone\n++new\n", "x.py: 1");
}

static void test_damaged(void **state)
{
	expect_bad(HEAD "@@ -1,2 +1,2 @@\n-a\n+b\n", 7); /* cut off */
	expect_bad(HEAD "@@ -1 +1 @@\n*a\n", 6);
	expect_bad(HEAD "@@ -1 +1 @@\n+a\n+b\n", 7);
	expect_bad(HEAD "@@ -1 +1\n", 5);
	expect_bad(HEAD "@@ -1 +99999999999999999999 @@\n+a\n", 5);
	expect_bad(HEAD "@@ -1 +2147483647,2 @@\n+a\n", 5);
	expect_bad(HEAD "@@ -1,,2 +1 @@\n", 5);
	expect_bad(HEAD "@@\n", 5);
}

/* Any cut and any changed byte of a good diff: an answer, and no read or write outside (under ASan). */
static void test_any_damage(void **state)
{
	static const char good[] = HEAD
		"@@ -1,2 +1,2 @@ f\n a\n-b\n+c\ndiff --cc \"b\\\n--- \"a/\\303\\244\"\n+++ \"b/\\303\\244\"\n"
		"@@@ -1,1 -1,1 +1,3 @@@\n  a\n++b\n +\n";
	static const char bytes[] = "@+- \n\"\\,90\t\377";
	char text[sizeof(good)];
	struct patch patch;
	unsigned long line;

	for (size_t i = 1; i < sizeof(good); i++) {
		(void)!read_text(good, i, &patch, &line);
		patch_deinit(&patch);
		for (size_t j = 0; j < sizeof(bytes); j++) {
			memcpy(text, good, sizeof(good));
			text[i - 1] = bytes[j];
			(void)!read_text(text, sizeof(good) - 1, &patch, &line);
			patch_deinit(&patch);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hunks),	 cmocka_unit_test(test_files),	 cmocka_unit_test(test_names),
		cmocka_unit_test(test_combined), cmocka_unit_test(test_damaged), cmocka_unit_test(test_any_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
