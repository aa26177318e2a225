#include "base/cleanup.h"
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int pipe_fds[2];

static int open_pipe(void **state)
{
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	log_set_fd(pipe_fds[1]);
	log_set_level(LOG_LEVEL_WARNING);
	return 0;
}

static int close_pipe(void **state)
{
	log_set_fd(2);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static void assert_written(const char *expected)
{
	char buf[8192];
	ssize_t n = read(pipe_fds[0], buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = '\0';
	assert_string_equal(buf, expected);
}

static void test_levels(void **state)
{
	int evaluated = 0;

	log_error("one %d", 1);
	assert_written("pycov-trace: one 1\n");
	log_warning("two");
	assert_written("pycov-trace: warning: two\n");
	log_info("three %d", ++evaluated);
	assert_written("");
	assert_int_equal(evaluated, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_info("three");
	assert_written("pycov-trace: three\n");
	log_debug("four");
	assert_written("pycov-trace: debug: four\n");
	log_set_fd(-1);
	log_error("nobody hears");
	assert_written("");
}

static void test_hostile_text(void **state)
{
	log_error("%s", "a\nb\x1b[31m\x7f\t");
	assert_written("pycov-trace: a\\x0ab\\x1b[31m\\x7f\\x09\n");
	log_error("%s", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d");
	assert_written("pycov-trace: caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d\n");
	log_error("%s",
		  "\xc2\x9b"
		  "1 \x9b \xe0\x80\x9b \xed\xa0\x80 \xe2\x80\xae \xc3");
	assert_written(
		"pycov-trace: \\xc2\\x9b1 \\x9b \\xe0\\x80\\x9b \\xed\\xa0\\x80 "
		"\\xe2\\x80\\xae \\xc3\n");
}

static void test_long_text(void **state)
{
	static char text[10000];
	char buf[16384];
	ssize_t n;

	memset(text, '\a', sizeof(text) - 1);
	log_error("%s", text);
	n = read(pipe_fds[0], buf, sizeof(buf));
	assert_in_range(n, 5000, 6144);
	assert_memory_equal(buf + n - 4, "...\n", 4);
	memset(text, 'x', sizeof(text) - 1);
	log_error("%s", text);
	n = read(pipe_fds[0], buf, sizeof(buf));
	assert_in_range(n, 4000, 6144);
	assert_memory_equal(buf + n - 4, "...\n", 4);
}

static void test_errno_is_kept(void **state)
{
	log_set_fd(pipe_fds[0]);
	errno = ENOTTY;
	log_error("cannot be written");
	assert_int_equal(errno, ENOTTY);
}

static void test_take(void **state)
{
	char text[] = "x", *p = text;
	int fd = 7;

	assert_ptr_equal(take_ptr(p), text);
	assert_null(p);
	assert_int_equal(take_fd(fd), 7);
	assert_int_equal(fd, -1);
	assert_int_equal(ARRAY_SIZE(text), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_hostile_text, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_long_text, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_errno_is_kept, open_pipe, close_pipe),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
