/**
 * Symbols of an ELF image: what it exports, and what it wants from others.
 *
 * Dynamic symbols are found through their hash table (DT_GNU_HASH, DT_HASH), so a question costs a
 * few microseconds and works on stripped files. Sources: elf(5), System V ABI "Hash Table", and for
 * the GNU table binutils bfd/elflink.c ("elf_gnu_hash_process_symidx").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct elf_image;

struct elf_symbol {
	uint64_t vaddr;
	uint64_t size; /* bytes; 0 if unknown */
};

/**
 * Find the function or variable @p name that the image defines for others (.dynsym); thread-local
 * ones do not count. -ENOENT without one. @p ret may be NULL.
 */
must_check int elf_symbol_find(const struct elf_image *image, const char *name, struct elf_symbol *ret);

/**
 * The same in the full symbol table (.symtab), which also has local symbols and which stripping
 * removes. Reads all of it: milliseconds. The first match in the table is taken. -ENOENT.
 */
must_check int elf_symbol_find_full(const struct elf_image *image, const char *name, struct elf_symbol *ret);

/** True if the image defines @p name for others. */
bool elf_symbol_is_defined(const struct elf_image *image, const char *name);

/** True if the image wants @p name from another one. */
bool elf_symbol_is_imported(const struct elf_image *image, const char *name);

/** True if the image wants a symbol that starts with @p prefix from another one, as "PyEval_". */
bool elf_symbol_is_prefix_imported(const struct elf_image *image, const char *prefix);
