/**
 * JSON, written piece by piece to a stream, so that its size does not matter.
 *
 * A thin layer over yajl (yajl_gen.h), which escapes; names of hostile targets go through printable() first.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <yajl/yajl_gen.h>

/** NULL without memory. With @p indented, one thing a line. Errors of writing are those of the stream. */
yajl_gen json_out_new(FILE *file, bool indented);
void json_out_free(yajl_gen *json);
#define _cleanup_json_ _cleanup_(json_out_free)

void json_out_string(yajl_gen json, const char *text);
void json_out_int(yajl_gen json, int64_t value);
/** @p ns in milliseconds, to the nanosecond. */
void json_out_ms(yajl_gen json, uint64_t ns);

/** Members of an object. */
void json_out_key(yajl_gen json, const char *key);
void json_out_member(yajl_gen json, const char *key, const char *value);
void json_out_member_int(yajl_gen json, const char *key, int64_t value);
void json_out_member_bool(yajl_gen json, const char *key, bool value);
/** The key and the beginning of its object or array. */
void json_out_object(yajl_gen json, const char *key);
void json_out_array(yajl_gen json, const char *key);
