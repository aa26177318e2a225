#include "base/hashmap.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool same(const void *entry, const void *key)
{
	return strcmp(entry, key) == 0;
}

static void test_add_and_find(void **state)
{
	enum { N = 5000 };
	static char names[N][8];
	struct hashmap map = {0};
	struct hash_key key;

	hash_key_init(&key);
	assert_null(hashmap_find(&map, 1, same, "x"));
	for (int i = 0; i < N; i++) {
		size_t len = (size_t)snprintf(names[i], sizeof(names[i]), "n%d", i);

		assert_int_equal(hashmap_add(&map, hash_bytes(&key, names[i], len), names[i]), 0);
	}
	for (int i = 0; i < N; i++)
		assert_ptr_equal(hashmap_find(&map, hash_bytes(&key, names[i], strlen(names[i])), same, names[i]),
				 names[i]);
	assert_null(hashmap_find(&map, hash_bytes(&key, "n0", 2), same, "other"));
	assert_int_equal(map.count, N);
	hashmap_deinit(&map);
}

static void test_equal_hashes(void **state)
{
	struct hashmap map = {0};
	char a[] = "a", b[] = "b";

	assert_int_equal(hashmap_add(&map, 7, a), 0);
	assert_int_equal(hashmap_add(&map, 7, b), 0);
	assert_ptr_equal(hashmap_find(&map, 7, same, "b"), b);
	assert_ptr_equal(hashmap_find(&map, 7, same, "a"), a);
	assert_null(hashmap_find(&map, 7, same, "c"));
	hashmap_deinit(&map);
}

static void test_hash(void **state)
{
	struct hash_key a = {{1, 2}}, b = {{1, 3}};

	assert_int_equal(hash_bytes(&a, "12345678x", 9), hash_bytes(&a, "12345678x", 9));
	assert_true(hash_bytes(&a, "x", 1) != hash_bytes(&b, "x", 1));
	assert_true(hash_bytes(&a, "x", 1) != hash_bytes(&a, "x\0", 2));
}

static void test_utf8(void **state)
{
	uint32_t c;

	assert_int_equal(utf8_decode("A", &c), 1);
	assert_int_equal(c, 'A');
	assert_int_equal(utf8_decode("\xc3\xa9", &c), 2);
	assert_int_equal(c, 0xe9);
	assert_int_equal(utf8_decode("\xf4\x8f\xbf\xbf", &c), 4);
	assert_int_equal(c, 0x10ffff);
	assert_true(utf8_valid("caf\xc3\xa9 \xe2\x82\xac"));
	assert_false(utf8_valid("\xc3"));
	assert_false(utf8_valid("\x80"));
	assert_false(utf8_valid("\xc0\x80"));
	assert_false(utf8_valid("\xed\xa0\x80"));
	assert_false(utf8_valid("\xf4\x90\x80\x80"));
	assert_false(utf8_valid("\xfc\x80\x80\x80"));
	assert_false(utf8_valid("\xf8\x88\x80\x80\x80"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_find),
		cmocka_unit_test(test_equal_hashes),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
