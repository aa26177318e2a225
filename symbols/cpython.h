/**
 * The CPython runtime in an ELF file: which version and build it is, and the layout to use.
 *
 * Nothing is believed from one source. The version comes from Py_Version (3.11+) or the string that
 * Py_GetVersion() prints, and has to agree with _Py_DebugOffsets, the soname, the functions that
 * came with that version and the object sizes in PyCode_Type and others. What is unknown is
 * refused, never guessed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "symbols/layout.h"

struct elf_image;

enum cpython_presence {
	CPYTHON_ABSENT,	  /* cannot become Python */
	CPYTHON_LOADABLE, /* uses dlopen() or dlmopen(): may load one later */
	CPYTHON_LINKED,	  /* needs a libpython, or calls Py_...: one comes with its libraries */
	CPYTHON_DEFINED,  /* has a Python runtime inside: ask cpython_load() */
};

struct cpython {
	struct layout layout; /* the row, corrected by _Py_DebugOffsets where that exists */
	uint32_t hexversion;  /* PY_VERSION_HEX: 0x030d00f0 is 3.13.0 final */
	uint8_t minor, micro; /* 3.minor.micro; for messages, ask the layout instead */
	bool is_final;	      /* neither alpha, beta nor release candidate */
	bool is_debug;	      /* Py_DEBUG or another Py_REF_DEBUG build */
	bool is_free_threaded;
	uint64_t runtime; /* vaddr of _PyRuntime */
};

/** How @p image relates to Python. Covers PyPy and old versions too. Costs some 10 us. */
enum cpython_presence cpython_probe(const struct elf_image *image);

/**
 * Identify the runtime in @p image. -ENOENT: there is none. -ENOTSUP: there is one and it is not
 * supported; -EBADMSG: what it says of itself does not agree. After both, *@p reason is a
 * static sentence for the user, as "Python 3.7 is not supported: 3.8 or later is needed".
 *
 * Pre-releases, debug and free-threaded builds are loaded and flagged: the caller decides. The
 * layout of a free-threaded build holds only for what _Py_DebugOffsets covers.
 */
must_check int cpython_load(const struct elf_image *image, struct cpython *ret, const char **reason);

/** Look up @p n API symbols into @p vaddrs (0: absent); returns how many there are. */
size_t cpython_resolve(const struct elf_image *image, const char *const *names, size_t n, uint64_t *vaddrs);

#define CPYTHON_VERSION_SIZE 24

/** Write @p hexversion as "3.14.0rc2" and return @p buf. */
const char *cpython_version_format(uint32_t hexversion, char buf[CPYTHON_VERSION_SIZE]);

/** Parse "3.14.0rc2" or "3.8.18+", the whole string. -EBADMSG if it is not a version. */
must_check int cpython_version_parse(const char *s, uint32_t *ret);
