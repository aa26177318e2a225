#include "symbols/branches.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What is told, as text; lines of which an instruction tells are added. */
struct seen {
	struct lineset ran;
	char text[256];
};

static int on_arc(void *arg, int32_t from, int32_t to)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%d>%d ", from, to);
	return from == to ? lineset_add(&s->ran, (uint32_t)from) : 0;
}

/*
 * 3.14, each instruction of one unit. Line 5: `def f(a):`; 6: `if a:`; 7: `b = 1`; 8: `return a`
 *
 *   0 RESUME                5       4 LOAD_SMALL_INT  7
 *   1 LOAD_FAST             6       5 STORE_FAST      7
 *   2 POP_JUMP_IF_FALSE +2  6       6 LOAD_FAST       8
 *   3 NOT_TAKEN             6       7 RETURN_VALUE    8
 */
static const uint8_t bytecode[] = {128, 0, 84, 0, 100, 3, 28, 0, 94, 1, 112, 1, 84, 0, 35, 0};
static const uint8_t table[] = {0xe8, 0, 0xea, 2, 0xe9, 2, 0xe9, 2};

/* Resolve it with the ways @ways of unit 2 and @returned of unit 7, when lines @first to @last ran. */
static int resolve(struct seen *s, struct branches_code change, unsigned int branch, unsigned int returned, uint32_t first,
		   uint32_t last)
{
	const uint8_t ways[] = {(uint8_t)(branch << 4), (uint8_t)(returned << 6)};
	struct branches_code code = change;
	int r;

	code.bytecode = bytecode;
	code.size = sizeof(bytecode);
	code.ways = ways;
	code.table = table;
	code.linetable_kind = LAYOUT_LINETABLE_LOCATIONS;
	code.first_line = 5;
	*s = (struct seen){0};
	lineset_init(&s->ran);
	for (uint32_t line = first; line <= last; line++)
		assert_int_equal(lineset_add(&s->ran, line), 0);
	r = branches_resolve(&code, &s->ran, on_arc, s);
	lineset_deinit(&s->ran);
	return r;
}

static const struct branches_code ours = {.minor = 14, .table_len = sizeof(table)};

static void test_ways(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(resolve(&s, ours, 0, 0, 1, 0), 0);
	assert_string_equal(s.text, "");
	assert_int_equal(resolve(&s, ours, BRANCHES_WAY_ON, BRANCHES_WAY_ON, 6, 8), 0);
	assert_string_equal(s.text, "6>6 8>8 6>7 6>7 8>-5 ");
	assert_int_equal(resolve(&s, ours, BRANCHES_WAY_ON | BRANCHES_WAY_JUMP, BRANCHES_WAY_ON, 6, 8), 0);
	assert_string_equal(s.text, "6>6 8>8 6>7 6>8 6>7 8>-5 ");
}

/* No arc leads to a line that did not run: an exception may have come between. */
static void test_lines(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(resolve(&s, ours, BRANCHES_WAY_ON, 0, 6, 6), 0);
	assert_string_equal(s.text, "6>6 ");
	/* a line of which nothing else tells */
	assert_int_equal(resolve(&s, ours, BRANCHES_WAY_JUMP, BRANCHES_WAY_ON, 6, 6), 0);
	assert_string_equal(s.text, "6>6 8>8 6>8 8>-5 ");
}

static void test_malformed(void **state)
{
	struct branches_code code = ours;
	struct seen s;

	(void)state;
	code.table_len--;
	assert_int_equal(resolve(&s, code, 3, 3, 1, 9), -EBADMSG);
	code = ours;
	code.minor = 7;
	assert_int_equal(resolve(&s, code, 3, 3, 1, 9), -ENOTSUP);
	assert_false(branches_are_known(7));
	assert_true(branches_are_known(15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
