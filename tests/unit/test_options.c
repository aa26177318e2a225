/* src/cli/options.c: the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/options.h"

#define PARSE(o, ...) parse(o, (char *[]){(char *)"pycov-trace", __VA_ARGS__, NULL})

static enum cli_result parse(struct options *o, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	optind = 0;
	return options_parse(o, argc, argv);
}

static void test_command(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "python", "-v", "app.py", "--omit=x"), CLI_RUN);
	assert_string_equal(o.command[0], "python");
	assert_string_equal(o.command[1], "-v");
	assert_int_equal(o.verbose, 0);
	assert_int_equal(o.omit.n, 0);
	assert_null(o.data_file);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "-v", "--", "-odd-name"), CLI_RUN);
	assert_string_equal(o.command[0], "-odd-name");
	assert_int_equal(o.verbose, 1);
	options_deinit(&o);
}

static void test_lists(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--omit=a,,b", "--omit", "c", "x"), CLI_RUN);
	assert_int_equal(o.omit.n, 3);
	assert_string_equal(o.omit.items[0], "a");
	assert_string_equal(o.omit.items[2], "c");
	assert_null(o.omit.items[3]);
	options_deinit(&o);
}

static void test_sampling(void **state)
{
	static const char *const bad[] = {"0", "-1", "x", "", "10x", "1e3", "100000"};
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "x"), CLI_RUN);
	assert_false(o.sample);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "--sample", "--rate=1000", "--exact", "x"), CLI_RUN);
	assert_true(o.sample);
	assert_int_equal(o.rate, 1000);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "--exact", "--sample", "-p", "1"), CLI_RUN);
	assert_int_equal(o.rate, 100);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "--append", "--sample", "x"), CLI_WRONG);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "--rate=10", "x"), CLI_WRONG);
	options_deinit(&o);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(PARSE(&o, "--exact", "--sample", "--rate", (char *)bad[i], "x"), CLI_WRONG);
		options_deinit(&o);
	}
}

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int sig;
	} good[] = {{"USR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}, {"hup", SIGHUP}, {"10", 10}};
	static const char *const bad[] = {"KILL", "STOP", "9", "0", "65", "NONE", "", "10x"};
	struct options o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(PARSE(&o, "--save-signal", (char *)good[i].text, "x"), CLI_RUN);
		assert_int_equal(o.save_signal, good[i].sig);
		options_deinit(&o);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(PARSE(&o, "--save-signal", (char *)bad[i], "x"), CLI_WRONG);
		options_deinit(&o);
	}
}

static void test_seconds(void **state)
{
	static const char *const bad[] = {"0",	 "-1",	 "x",  "1x", "nan", "inf",
					  "1e3", "0x10", "+1", " 1", ".",   "1000001"};
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--save-every=1.5", "x"), CLI_RUN);
	assert_int_equal(o.save_every, 1500);
	options_deinit(&o);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(PARSE(&o, "--save-every", (char *)bad[i], "x"), CLI_WRONG);
		options_deinit(&o);
	}
}

static void test_wrong(void **state)
{
	struct options o;

	(void)state;
	assert_int_equal(PARSE(&o, "--sorce=x", "y"), CLI_WRONG);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "-Z", "y"), CLI_WRONG);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "--source"), CLI_WRONG);
	options_deinit(&o);
	assert_int_equal(PARSE(&o, "-a", "--parallel-mode", "x"), CLI_WRONG);
	options_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command), cmocka_unit_test(test_lists),	cmocka_unit_test(test_sampling),
		cmocka_unit_test(test_signals), cmocka_unit_test(test_seconds), cmocka_unit_test(test_wrong),
	};

	log_set_fd(-1);
	unsetenv("COVERAGE_FILE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
