/** UTF-8 as RFC 3629 has it: nothing over-long, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Decode one code point of the NUL-terminated @p text; its length in bytes, or 0 if not valid. */
size_t utf8_decode(const char *text, uint32_t *ret);

bool utf8_valid(const char *text);
