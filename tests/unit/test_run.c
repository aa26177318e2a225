/* src/supervisor/run.c: what goes from the supervisor to the keeper comes out as it went in, and nothing else comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/run.h"

static size_t encode(unsigned char buf[RUN_MESSAGE_MAX])
{
	struct run run;

	run_init(&run);
	run.id = 7;
	run.hexversion = 0x030d00f0;
	run.pid = 42;
	run.executable = (char *)"/usr/bin/python3";
	run.command = (char *)"";
	return run_encode(&run, buf);
}

static void test_round_trip(void **state)
{
	unsigned char buf[RUN_MESSAGE_MAX];
	size_t n = encode(buf);
	struct run run;

	(void)state;
	assert_int_equal(run_decode(buf, n, &run), 0);
	assert_int_equal(run.id, 7);
	assert_int_equal(run.hexversion, 0x030d00f0);
	assert_int_equal(run.pid, 42);
	assert_string_equal(run.executable, "/usr/bin/python3");
	assert_string_equal(run.command, "");
	assert_null(run.library);
	assert_null(run.home);
	assert_int_equal(run.region_fd, -1);
	run_deinit(&run);
}

static void test_long_text_is_cut(void **state)
{
	unsigned char buf[RUN_MESSAGE_MAX];
	char *text = malloc(100000);
	struct run run, back;

	(void)state;
	memset(text, 'x', 99999);
	text[99999] = 0;
	run_init(&run);
	run.executable = run.library = run.home = run.user_base = run.command = text;
	assert_true(run_encode(&run, buf) <= sizeof(buf));
	assert_int_equal(run_decode(buf, run_encode(&run, buf), &back), 0);
	assert_true(strlen(back.command) < 99999);
	run_deinit(&back);
	free(text);
}

static void test_truncated(void **state)
{
	unsigned char buf[RUN_MESSAGE_MAX];
	size_t n = encode(buf);
	struct run run;

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(run_decode(buf, i, &run), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
