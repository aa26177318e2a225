#include "output/json_out.h"

#include "base/printable.h"

#include <inttypes.h>
#include <string.h>

static void print(void *context, const char *text, size_t len)
{
	fwrite_unlocked(text, 1, len, context);
}

yajl_gen json_out_new(FILE *file, bool indented)
{
	yajl_gen json = yajl_gen_alloc(NULL);

	if (!json)
		return NULL;
	yajl_gen_config(json, yajl_gen_print_callback, print, file);
	yajl_gen_config(json, yajl_gen_beautify, indented);
	yajl_gen_config(json, yajl_gen_indent_string, "\t");
	return json;
}

void json_out_free(yajl_gen *json)
{
	if (*json)
		yajl_gen_free(*json);
}

void json_out_key(yajl_gen json, const char *key)
{
	yajl_gen_string(json, (const unsigned char *)key, strlen(key));
}

void json_out_string(yajl_gen json, const char *text)
{
	char buf[1024];
	size_t len = printable(buf, sizeof(buf), text);
	_cleanup_free_ char *large = NULL;

	if (len >= sizeof(buf)) {
		large = malloc(len + 1);
		if (large)
			printable(large, len + 1, text);
		else
			len = strlen(buf);
	}
	yajl_gen_string(json, (const unsigned char *)(large ? large : buf), len);
}

void json_out_int(yajl_gen json, int64_t value)
{
	yajl_gen_integer(json, value);
}

void json_out_ms(yajl_gen json, uint64_t ns)
{
	char buf[40];
	int len = snprintf(buf, sizeof(buf), "%" PRIu64 ".%06" PRIu64, ns / 1000000, ns % 1000000);

	while (buf[len - 1] == '0')
		len--;
	len -= buf[len - 1] == '.';
	yajl_gen_number(json, buf, (size_t)len);
}

void json_out_member(yajl_gen json, const char *key, const char *value)
{
	json_out_key(json, key);
	json_out_string(json, value);
}

void json_out_member_int(yajl_gen json, const char *key, int64_t value)
{
	json_out_key(json, key);
	json_out_int(json, value);
}

void json_out_member_bool(yajl_gen json, const char *key, bool value)
{
	json_out_key(json, key);
	yajl_gen_bool(json, value);
}

void json_out_object(yajl_gen json, const char *key)
{
	json_out_key(json, key);
	yajl_gen_map_open(json);
}

void json_out_array(yajl_gen json, const char *key)
{
	json_out_key(json, key);
	yajl_gen_array_open(json);
}
