#include "base/lineset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define _cleanup_lineset_ _cleanup_(lineset_deinit)

static void add_all(struct lineset *set, const uint32_t *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(lineset_add(set, lines[i]), 0);
}

static void assert_lines(const struct lineset *set, const uint32_t *lines, size_t n)
{
	uint32_t line = 0;

	for (size_t i = 0; i < n; i++) {
		line = lineset_next(set, line);
		assert_int_equal(line, lines[i]);
		assert_true(lineset_test(set, line));
	}
	assert_int_equal(lineset_next(set, line), 0);
	assert_int_equal(set->count, n);
}

static void test_empty(void **state)
{
	struct lineset set, other = {0};
	char buf[4] = "abc";

	lineset_init(&set);
	assert_int_equal(set.count, 0);
	assert_int_equal(lineset_next(&set, 0), 0);
	assert_false(lineset_test(&set, 1));
	assert_int_equal(lineset_numbits_size(&set), 0);
	lineset_numbits_read(&set, 0, buf, sizeof(buf));
	assert_memory_equal(buf, "\0\0\0\0", 4);
	assert_true(lineset_equal(&set, &other));
	assert_int_equal(lineset_or(&set, &other), 0);
	assert_int_equal(lineset_add(&set, 0), -ERANGE);
	assert_int_equal(lineset_add(&set, LINESET_MAX + 1u), -ERANGE);
	lineset_deinit(&set);
}

static void test_add_and_iterate(void **state)
{
	static const uint32_t in[] = {70000,  1,  1023, 1024,	  LINESET_MAX, 1025, 131071,
				      131072, 63, 64,	16777215, 16777216,    1};
	static const uint32_t sorted[] = {1,	 63,	 64,	 1023,	   1024,     1025,
					  70000, 131071, 131072, 16777215, 16777216, LINESET_MAX};
	_cleanup_lineset_ struct lineset set = {0};

	add_all(&set, in, ARRAY_SIZE(in));
	assert_lines(&set, sorted, ARRAY_SIZE(sorted));
	assert_int_equal(set.max, LINESET_MAX);
	assert_false(lineset_test(&set, 2));
	assert_false(lineset_test(&set, LINESET_MAX - 1));
	assert_false(lineset_test(&set, UINT32_MAX));
	assert_int_equal(lineset_next(&set, 131072), 16777215);
	assert_int_equal(lineset_next(&set, UINT32_MAX), 0);
	assert_int_equal(lineset_numbits_size(&set), (size_t)1 << 28);
}

static void test_or(void **state)
{
	static const uint32_t low[] = {1, 2, 900}, high[] = {2, 5000, 200000};
	static const uint32_t both[] = {1, 2, 900, 5000, 200000};
	_cleanup_lineset_ struct lineset a = {0}, b = {0};

	add_all(&a, low, ARRAY_SIZE(low));
	add_all(&b, high, ARRAY_SIZE(high));
	assert_false(lineset_equal(&a, &b));
	assert_int_equal(lineset_or(&a, &b), 0);
	assert_int_equal(lineset_or(&a, &a), 0);
	assert_lines(&a, both, ARRAY_SIZE(both));
	assert_int_equal(lineset_or(&b, &a), 0);
	assert_true(lineset_equal(&a, &b));
	assert_true(lineset_equal(&b, &a));
}

static void test_equal_in_any_order(void **state)
{
	static const uint32_t up[] = {7, 5000, 5001, 3000000}, down[] = {3000000, 5001, 5000, 7};
	static const uint32_t far[] = {3000000, 3000001};
	_cleanup_lineset_ struct lineset a = {0}, b = {0}, c = {0};

	add_all(&a, up, ARRAY_SIZE(up));
	add_all(&b, down, ARRAY_SIZE(down));
	assert_lines(&a, up, ARRAY_SIZE(up));
	assert_true(lineset_equal(&a, &b));
	add_all(&c, far, ARRAY_SIZE(far));
	assert_lines(&c, far, ARRAY_SIZE(far));
	assert_false(lineset_test(&c, 1));
	assert_int_equal(c.height, 0);
	assert_int_equal(lineset_add(&a, 4), 0);
	assert_int_equal(lineset_add(&b, 3), 0);
	assert_false(lineset_equal(&a, &b));
}

static void test_or_bits(void **state)
{
	static const uint8_t bits[] = {0x01, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x10};
	static const uint32_t aligned[] = {15, 76}, from_three[] = {3, 18, 79};
	_cleanup_lineset_ struct lineset a = {0}, b = {0}, c = {0};

	assert_int_equal(lineset_or_bits(&a, 0, bits, sizeof(bits)), 0);
	assert_lines(&a, aligned, ARRAY_SIZE(aligned));
	assert_int_equal(lineset_or_bits(&b, 3, bits, sizeof(bits)), 0);
	assert_lines(&b, from_three, ARRAY_SIZE(from_three));
	assert_int_equal(lineset_or_bits(&c, LINESET_MAX, bits, 1), 0);
	assert_int_equal(lineset_or_bits(&c, LINESET_MAX, bits, 2), -ERANGE);
	assert_int_equal(lineset_or_bits(&c, UINT32_MAX, bits, 1), -ERANGE);
	assert_int_equal(c.count, 1);
}

static void test_numbits(void **state)
{
	static const uint32_t lines[] = {1, 8, 8191, 8192, 40000};
	_cleanup_lineset_ struct lineset set = {0}, back = {0}, parts = {0};
	uint8_t whole[6000], window[7], expected[6000] = {0};
	size_t size;

	add_all(&set, lines, ARRAY_SIZE(lines));
	size = lineset_numbits_size(&set);
	assert_int_equal(size, 5001);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		expected[lines[i] / 8] |= (uint8_t)(1u << lines[i] % 8);
	memset(whole, 0xff, sizeof(whole));
	lineset_numbits_read(&set, 0, whole, sizeof(whole));
	assert_memory_equal(whole, expected, sizeof(whole));
	assert_int_equal(lineset_or_numbits(&back, 0, whole, size), 0);
	assert_true(lineset_equal(&set, &back));
	for (size_t at = 0; at < size; at += sizeof(window)) {
		lineset_numbits_read(&set, at, window, sizeof(window));
		assert_memory_equal(window, expected + at, sizeof(window));
		assert_int_equal(lineset_or_numbits(&parts, at, window, sizeof(window)), 0);
	}
	assert_true(lineset_equal(&set, &parts));
}

static void test_numbits_end(void **state)
{
	_cleanup_lineset_ struct lineset set = {0};
	uint8_t byte = 0x80, line_zero = 0x01, last[2];

	assert_int_equal(lineset_or_numbits(&set, 0, &line_zero, 1), 0);
	assert_int_equal(set.count, 0);
	assert_int_equal(lineset_or_numbits(&set, ((size_t)1 << 28) - 1, &byte, 1), 0);
	assert_int_equal(lineset_or_numbits(&set, (size_t)1 << 28, &byte, 1), -ERANGE);
	assert_int_equal(lineset_or_numbits(&set, SIZE_MAX, &byte, 1), -ERANGE);
	assert_int_equal(set.max, LINESET_MAX);
	lineset_numbits_read(&set, ((size_t)1 << 28) - 1, last, sizeof(last));
	assert_memory_equal(last, "\x80\0", 2);
}

/* The set against a plain array, with a generator of numbers that is the same on every run. */
static void test_random(void **state)
{
	enum { LINES = 300000 };
	static uint8_t plain[LINES + 1];
	_cleanup_lineset_ struct lineset set = {0};
	uint32_t x = 1, line = 0, count = 0;

	for (int i = 0; i < 100000; i++) {
		x = x * 1103515245u + 12345u;
		line = (x >> 8) % (i % 2 ? LINES : 3000) + 1;
		count += !plain[line];
		plain[line] = 1;
		assert_int_equal(lineset_add(&set, line), 0);
	}
	assert_int_equal(set.count, count);
	line = 0;
	for (uint32_t i = 1; i <= LINES; i++)
		if (plain[i]) {
			line = lineset_next(&set, line);
			assert_int_equal(line, i);
		} else if (lineset_test(&set, i)) {
			fail();
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	    cmocka_unit_test(test_add_and_iterate),
		cmocka_unit_test(test_or),	    cmocka_unit_test(test_equal_in_any_order),
		cmocka_unit_test(test_or_bits),	    cmocka_unit_test(test_numbits),
		cmocka_unit_test(test_numbits_end), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
