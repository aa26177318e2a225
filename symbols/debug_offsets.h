/**
 * _Py_DebugOffsets: the description of itself that CPython 3.13 and later puts at the start of
 * _PyRuntime. Source: Include/internal/pycore_debug_offsets.h. Its own layout changes with each
 * minor version, so there is a table per version.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct layout;

struct debug_offsets {
	uint32_t hexversion; /* PY_VERSION_HEX */
	bool free_threaded;
};

/** Decode what all versions share. -ENOENT without the cookie, -EBADMSG if it cannot be. */
must_check int debug_offsets_decode_header(const void *bytes, size_t len, struct debug_offsets *ret);

/** Size in bytes of the structure in the version of @p layout; 0 if it has none. */
size_t debug_offsets_size(const struct layout *layout);

/**
 * Take over into @p layout, the copy of a row, what the bytes of the structure say. -EBADMSG for
 * values that cannot be, and @p layout is unchanged; -ENOTSUP if the version has no such thing.
 */
must_check int debug_offsets_apply(const void *bytes, size_t len, struct layout *layout);

#define DEBUG_OFFSETS_ASYNCIO_SIZE 104
#define DEBUG_OFFSETS_ASYNCIO_SECTION ".AsyncioDebug"

/**
 * The same of _Py_AsyncioDebug, which _asyncio of 3.14 and later has in a section of its own (Modules/_asynciomodule.c):
 * into the members of `task`. -EBADMSG, -ENOTSUP as above.
 */
must_check int debug_offsets_apply_asyncio(const void *bytes, size_t len, struct layout *layout);
