/**
 * An ELF program or shared library, as its program headers describe it: segments, dynamic section,
 * bytes and pointers at an address. x86-64, ELF64, little-endian; elf(5), System V ABI.
 *
 * Only program headers are relied on, so a file without section headers serves as well. The file
 * is hostile: every offset is checked, nothing is followed without a bound, a broken part reads
 * as absent. Addresses ("vaddr") are those of the file, without load bias. Opening a file reads
 * its headers only. Symbols are in elf_symbol.h. One thread at a time per image.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct elf_file;

enum elf_image_kind {
	ELF_IMAGE_EXEC, /* ET_EXEC: loaded where it says, bias 0 */
	ELF_IMAGE_PIE,	/* ET_DYN program */
	ELF_IMAGE_SHARED,
};

/** A PT_LOAD; flags are PF_R, PF_W, PF_X. filesz <= memsz, and the range is in user space. */
struct elf_segment {
	uint64_t vaddr, memsz, offset, filesz;
	uint32_t flags;
};

/** A table of the dynamic section: vaddr 0 means absent. */
struct elf_table {
	uint64_t vaddr, size;
};

/** What the dynamic section says; all zero without one. Unchecked, but for entry sizes. */
struct elf_dynamic {
	uint64_t vaddr;
	size_t count; /* of Elf64_Dyn, the DT_NULL not included */
	uint64_t symtab, hash, gnu_hash, soname_offset, runpath_offset;
	struct elf_table strtab, rela;
	bool has_soname, has_runpath;
};

/** Read, do not write. */
struct elf_image {
	struct elf_file *file;
	enum elf_image_kind kind;
	uint64_t entry; /* 0: none */
	bool has_interp;
	bool is_dynamic;	      /* has a PT_DYNAMIC */
	struct elf_segment *segments; /* at least one */
	size_t n_segments;
	struct elf_dynamic dynamic;
	uint64_t section_offset; /* of the section headers; 0: stripped away */
	size_t n_sections;
};

/**
 * Open the image in the regular file at @p fd, which may be closed afterwards. Free with
 * elf_image_free(). -ENOEXEC: not an ELF program or library. -ENOTSUP: one for another machine, and
 * *@p reason (static, may be NULL) says which, as "32-bit programs". -EBADMSG: broken.
 */
must_check int elf_image_new(int fd, struct elf_image **ret, const char **reason);
void elf_image_free(struct elf_image *image);

static inline void elf_image_freep(struct elf_image **image)
{
	elf_image_free(*image);
}

#define _cleanup_elf_image_ _cleanup_(elf_image_freep)

/** The DT_SONAME, or NULL. Lives as long as the image, like all that the image hands out. */
const char *elf_image_soname(const struct elf_image *image);

/** The DT_RUNPATH, or DT_RPATH: directories with colons between, as they are written; or NULL. */
const char *elf_image_runpath(const struct elf_image *image);

/** The DT_NEEDED number @p index (from 0), or NULL after the last. */
const char *elf_image_needed(const struct elf_image *image, size_t index);

/** True if a DT_NEEDED starts with @p prefix, as "libpython". */
bool elf_image_needs(const struct elf_image *image, const char *prefix);

/** The bytes at @p vaddr; NULL if the file does not hold them all, as of .bss. */
const void *elf_image_at(const struct elf_image *image, uint64_t vaddr, uint64_t len);

/** The NUL-terminated string at @p vaddr, shorter than @p max bytes; NULL if there is none. */
const char *elf_image_string(const struct elf_image *image, uint64_t vaddr, size_t max);

/** Copy what the process would find at @p vaddr before relocation. -EFAULT outside of a segment. */
must_check int elf_image_read(const struct elf_image *image, uint64_t vaddr, void *buf, size_t len);

/**
 * Read @p n pointers at @p vaddr with relocations applied for a bias of 0: R_X86_64_RELATIVE, and
 * R_X86_64_64 and R_X86_64_GLOB_DAT to symbols of this image. Packed ones (DT_RELR) need nothing,
 * the file already holds their value. A pointer to another image reads as 0. -EFAULT as
 * elf_image_read().
 */
must_check int elf_image_read_pointers(const struct elf_image *image, uint64_t vaddr, uint64_t *ret, size_t n);

/** Where the section of that name is when loaded, and how long. -ENOENT: there is none, or no section headers. */
must_check int elf_image_section(const struct elf_image *image, const char *name, uint64_t *vaddr, uint64_t *size);

/** The executable segment around @p vaddr, or NULL. */
const struct elf_segment *elf_image_code_segment(const struct elf_image *image, uint64_t vaddr);

/** The vaddrs the image takes, from *@p start up to *@p end, in whole pages. */
void elf_image_extent(const struct elf_image *image, uint64_t *start, uint64_t *end);

/**
 * The bias (runtime address = vaddr + bias) of an image whose byte at file @p offset is mapped at
 * @p addr. Segments share the page at their border: @p executable says whether the mapping is.
 * -ENOENT: no segment maps that offset so. -EBADMSG: it is not a multiple of the page size,
 * several segments disagree, or an ELF_IMAGE_EXEC is not at its place.
 */
must_check int elf_image_bias(const struct elf_image *image, uint64_t offset, uint64_t addr, bool executable,
			      uint64_t *ret);
