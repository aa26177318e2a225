/**
 * Text that others chose (names of functions, files and threads), made fit to be shown.
 *
 * The result is valid UTF-8 in which nothing moves the cursor, breaks the line or turns the direction of writing:
 * bytes that are not UTF-8 and control characters are written as `\xNN`, other characters that are not shown (C1
 * controls, direction marks, line separators, noncharacters) as `\uNNNN`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Write @p text to @p buf as snprintf() does, never half a character. The length it would have if there were room. */
size_t printable(char *buf, size_t size, const char *text);

/** True for a character that stands there as it is. */
bool printable_is_shown(uint32_t c);
