/**
 * A private snapshot of a file, filled on demand: the bytes of any range, at an address that stays.
 *
 * Not a shared mapping: whoever owns the file could truncate it and kill the reader with SIGBUS, or
 * change a size between its check and its use. What was read once stays as it was.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct elf_file;

/**
 * Take a snapshot of the regular file open at @p fd; the descriptor is duplicated. Free with
 * elf_file_free(). -ENOEXEC if it is not a regular file, -EFBIG above 16 GiB.
 */
must_check int elf_file_new(int fd, struct elf_file **ret);
void elf_file_free(struct elf_file *file);

/** Size in bytes when the snapshot was begun. */
uint64_t elf_file_size(const struct elf_file *file);

/**
 * The @p len bytes at @p offset, or NULL if they are not all in the file. Valid until
 * elf_file_free(). One thread at a time.
 */
const void *elf_file_at(const struct elf_file *file, uint64_t offset, uint64_t len);
