#include "output/json_out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_all_kinds(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	_cleanup_json_ yajl_gen json = json_out_new(f, false);

	yajl_gen_map_open(json);
	json_out_member(json, "name", "a\"b\\c\nd</script>\xff\xe2\x80\xae\xc3\xa9");
	json_out_member_int(json, "least", INT64_MIN);
	json_out_member_bool(json, "yes", true);
	json_out_array(json, "times");
	json_out_ms(json, 0);
	json_out_ms(json, 1000000);
	json_out_ms(json, 1500001);
	json_out_ms(json, UINT64_MAX);
	json_out_int(json, 10);
	yajl_gen_array_close(json);
	json_out_object(json, "none");
	yajl_gen_map_close(json);
	yajl_gen_map_close(json);
	fclose(f);
	assert_string_equal(text,
			    "{\"name\":\"a\\\"b\\\\c\\\\x0ad</script>\\\\xff\\\\u202e\xc3\xa9\","
			    "\"least\":-9223372036854775808,\"yes\":true,"
			    "\"times\":[0,1,1.500001,18446744073709.551615,10],\"none\":{}}");
}

static void test_long_string(void **state)
{
	_cleanup_free_ char *name = calloc(1, 5001), *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	_cleanup_json_ yajl_gen json = json_out_new(f, false);

	memset(name, '\n', 5000);
	json_out_string(json, name);
	fclose(f);
	assert_int_equal(size, 5000 * 5 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_long_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
