#include "base/printable.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *text, const char *shown)
{
	char buf[256];

	assert_int_equal(printable(buf, sizeof(buf), text), strlen(shown));
	assert_string_equal(buf, shown);
}

static void test_printable(void **state)
{
	check("", "");
	check("plain <b>&\"'\\", "plain <b>&\"'\\");
	check("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d");
	check("a\nb\tc\x1b[31m\x7f", "a\\x0ab\\x09c\\x1b[31m\\x7f");
	check("\xff\xc3(\xed\xa0\x80", "\\xff\\xc3(\\xed\\xa0\\x80");
	check("\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xef\xbf\xbf", "\\u009b\\u202e\\u2028\\uffff");
	check("\xe2\x80", "\\xe2\\x80");
}

static void test_short_of_room(void **state)
{
	char buf[8] = "unset";

	assert_int_equal(printable(NULL, 0, "abc"), 3);
	assert_int_equal(printable(buf, 1, "abc"), 3);
	assert_string_equal(buf, "");
	assert_int_equal(printable(buf, 4, "abc"), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(printable(buf, 5, "abc\n"), 7);
	assert_string_equal(buf, "abc");
	/* Nothing behind what had no room, though it would fit. */
	assert_int_equal(printable(buf, 4,
				   "a\xe2\x82\xac"
				   "b"),
			 5);
	assert_string_equal(buf, "a");
}

static void test_all_bytes(void **state)
{
	char text[3], buf[64];

	for (int a = 1; a < 256; a++)
		for (int b = 1; b < 256; b++) {
			text[0] = (char)a;
			text[1] = (char)b;
			text[2] = '\0';
			assert_true(printable(buf, sizeof(buf), text) < sizeof(buf));
			assert_true(utf8_valid(buf));
			for (const char *c = buf; *c; c++)
				assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_short_of_room),
		cmocka_unit_test(test_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
