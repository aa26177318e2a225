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
static int resolve(struct seen *s, struct branches_code change, unsigned int branch, unsigned int returned,
		   uint32_t first, uint32_t last)
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

/*
 * 3.8. Line 2: `try:`; 3: `if a:`; 4: `return 1`; 5: `b = 2`; 7, in the `finally`: `c = 3`; 8: `return b`
 *
 *    0 SETUP_FINALLY to 11         2      8 STORE_FAST     5
 *    1 LOAD_FAST                   3      9 POP_BLOCK      5
 *    2 POP_JUMP_IF_FALSE 7         3     10 BEGIN_FINALLY  5
 *    3 POP_BLOCK                   4     11 LOAD_CONST     7
 *    4 CALL_FINALLY to 11          4     12 STORE_FAST     7
 *    5 LOAD_CONST                  4     13 END_FINALLY    7
 *    6 RETURN_VALUE                4     14 LOAD_FAST      8
 *    7 LOAD_CONST                  5     15 RETURN_VALUE   8
 */
static const uint8_t finally_bytecode[] = {122, 20, 124, 0, 114, 14, 87,  0, 162, 12, 100, 2, 83,  0, 100, 3,
					   125, 1,  87,	 0, 53,	 0,  100, 1, 125, 1,  88,  0, 124, 2, 83,  0};
static const uint8_t finally_table[] = {0, 1, 2, 1, 4, 1, 8, 1, 8, 2, 6, 1};

static void resolve_finally(struct seen *s, const uint8_t ways[4])
{
	struct branches_code code = {.minor = 8,
				     .linetable_kind = LAYOUT_LINETABLE_LNOTAB,
				     .first_line = 1,
				     .bytecode = finally_bytecode,
				     .ways = ways,
				     .table = finally_table,
				     .size = sizeof(finally_bytecode),
				     .table_len = sizeof(finally_table)};

	*s = (struct seen){0};
	lineset_init(&s->ran);
	for (uint32_t line = 2; line <= 8; line++)
		assert_int_equal(lineset_add(&s->ran, line), 0);
	assert_int_equal(branches_resolve(&code, &s->ran, on_arc, s), 0);
	lineset_deinit(&s->ran);
}

static void test_finally(void **state)
{
	struct seen s;

	(void)state;
	/* the branch goes on; the call, what is behind it and the return were run */
	resolve_finally(&s, (const uint8_t[]){1 << 4, 1 | 1 << 2 | 1 << 4, 0, 0});
	assert_string_equal(s.text, "2>3 3>4 4>7 4>-1 4>-1 7>4 ");
	/* it jumps; BEGIN_FINALLY was run, END_FINALLY went on, and the return was run */
	resolve_finally(&s, (const uint8_t[]){2 << 4, 0, 1 << 4, 1 << 2 | 1 << 6});
	assert_string_equal(s.text, "2>3 3>5 5>7 7>8 8>-1 ");
	/* an exception came to the end of it */
	resolve_finally(&s, (const uint8_t[]){2 << 4, 0, 0, 0});
	assert_string_equal(s.text, "2>3 3>5 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_finally),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
