/**
 * Unused bytes in what a process has mapped: between the end of a segment and the end of its page, which the file's next
 * bytes or zeros fill and nobody looks at. All that is read is the target's to shape.
 */
#pragma once

#include <stddef.h>

#include "attach/remote.h"

/** @p need bytes of executable memory, 16-aligned, in the ELF image whose header is mapped at @p base. -ENOENT. */
int cave_in_text(const struct remote *r, raddr base, size_t need, raddr *ret) must_check;

/** The same, writable. */
int cave_in_data(const struct remote *r, raddr base, size_t need, raddr *ret) must_check;
