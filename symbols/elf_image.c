#include "symbols/elf_image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "symbols/elf_file.h"

#define PAGE_SIZE ((uint64_t)4096)
#define USER_END ((uint64_t)1 << 47)
/* What execve(2) accepts: 64 KiB of program headers. */
#define PHNUM_MAX (65536 / sizeof(Elf64_Phdr))
#define DYNAMIC_MAX 4096
#define SECTIONS_MAX 65536
#define NAME_SIZE_MAX 4096

static uint64_t page_floor(uint64_t n)
{
	return n & ~(PAGE_SIZE - 1);
}

static uint64_t page_ceil(uint64_t n)
{
	return page_floor(n + PAGE_SIZE - 1);
}

void elf_image_free(struct elf_image *image)
{
	if (!image)
		return;
	elf_file_free(image->file);
	free(image->segments);
	free(image);
}

/* ---- headers ---- */

static int unsupported(const char **reason, const char *why)
{
	if (reason)
		*reason = why;
	return -ENOTSUP;
}

static int check_machine(const Elf64_Ehdr *ehdr, const char **reason)
{
	if (ehdr->e_ident[EI_DATA] != ELFDATA2LSB)
		return unsupported(reason, "big-endian programs");
	if (ehdr->e_ident[EI_CLASS] == ELFCLASS32)
		return unsupported(reason, "32-bit programs");
	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64)
		return -EBADMSG;
	if (ehdr->e_machine != EM_X86_64)
		return unsupported(reason, "programs for another processor than x86-64");
	if (ehdr->e_type != ET_EXEC && ehdr->e_type != ET_DYN)
		return -ENOEXEC;
	return 0;
}

static int read_ehdr(struct elf_image *image, const Elf64_Ehdr **ret, const char **reason)
{
	const unsigned char *ident = elf_file_at(image->file, 0, EI_NIDENT + 4);
	const Elf64_Ehdr *ehdr;

	if (!ident || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	ehdr = elf_file_at(image->file, 0, sizeof(*ehdr));
	/* A 32-bit header is shorter, and its first 20 bytes are the same. */
	if (!ehdr)
		return ident[EI_CLASS] == ELFCLASS32 ? unsupported(reason, "32-bit programs") : -EBADMSG;
	*ret = ehdr;
	return check_machine(ehdr, reason);
}

static int add_segment(struct elf_image *image, const Elf64_Phdr *phdr)
{
	struct elf_segment *segment = &image->segments[image->n_segments];

	if (phdr->p_filesz > phdr->p_memsz || phdr->p_vaddr >= USER_END || phdr->p_memsz > USER_END - phdr->p_vaddr ||
	    phdr->p_offset > INT64_MAX || phdr->p_filesz > INT64_MAX - phdr->p_offset)
		return -EBADMSG;
	/* As mmap(2) demands it; and what is aligned in memory then is so in the file. */
	if ((phdr->p_vaddr - phdr->p_offset) % PAGE_SIZE)
		return -EBADMSG;
	if (phdr->p_memsz == 0)
		return 0;
	*segment = (struct elf_segment){
		.vaddr = phdr->p_vaddr,
		.memsz = phdr->p_memsz,
		.offset = phdr->p_offset,
		.filesz = phdr->p_filesz,
		.flags = phdr->p_flags,
	};
	image->n_segments++;
	return 0;
}

static int read_phdrs(struct elf_image *image, const Elf64_Ehdr *ehdr, Elf64_Phdr *dynamic)
{
	const Elf64_Phdr *phdr;
	int r;

	if (ehdr->e_phentsize != sizeof(*phdr) || ehdr->e_phnum == 0 || ehdr->e_phnum > PHNUM_MAX)
		return -EBADMSG;
	phdr = elf_file_at(image->file, ehdr->e_phoff, ehdr->e_phnum * sizeof(*phdr));
	image->segments = calloc(ehdr->e_phnum, sizeof(*image->segments));
	if (!image->segments)
		return -ENOMEM;
	if (!phdr || ehdr->e_phoff % 8)
		return -EBADMSG;
	for (size_t i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type == PT_INTERP)
			image->has_interp = true;
		if (phdr[i].p_type == PT_DYNAMIC)
			*dynamic = phdr[i], image->is_dynamic = true;
		r = phdr[i].p_type == PT_LOAD ? add_segment(image, &phdr[i]) : 0;
		if (r < 0)
			return r;
	}
	return image->n_segments ? 0 : -EBADMSG;
}

/* Sections are optional, so what is wrong with them counts as absence. */
static void note_sections(struct elf_image *image, const Elf64_Ehdr *ehdr)
{
	const Elf64_Shdr *first;
	uint64_t n = ehdr->e_shnum;

	if (ehdr->e_shoff == 0 || ehdr->e_shoff % 8 || ehdr->e_shentsize != sizeof(Elf64_Shdr))
		return;
	first = elf_file_at(image->file, ehdr->e_shoff, sizeof(*first));
	if (!first)
		return;
	if (n == 0)
		n = first->sh_size;
	if (n == 0 || n > SECTIONS_MAX)
		return;
	image->section_offset = ehdr->e_shoff;
	image->n_sections = n;
}

/* ---- the dynamic section ---- */

static void note_dynamic_entry(struct elf_image *image, const Elf64_Dyn *dyn, bool *is_pie)
{
	struct elf_dynamic *dynamic = &image->dynamic;

	switch (dyn->d_tag) {
	case DT_SYMTAB:
		dynamic->symtab = dyn->d_un.d_ptr;
		break;
	case DT_STRTAB:
		dynamic->strtab.vaddr = dyn->d_un.d_ptr;
		break;
	case DT_STRSZ:
		dynamic->strtab.size = dyn->d_un.d_val;
		break;
	case DT_HASH:
		dynamic->hash = dyn->d_un.d_ptr;
		break;
	case DT_GNU_HASH:
		dynamic->gnu_hash = dyn->d_un.d_ptr;
		break;
	case DT_RELA:
		dynamic->rela.vaddr = dyn->d_un.d_ptr;
		break;
	case DT_RELASZ:
		dynamic->rela.size = dyn->d_un.d_val;
		break;
	case DT_SONAME:
		dynamic->soname_offset = dyn->d_un.d_val;
		dynamic->has_soname = true;
		break;
	case DT_RPATH:
	case DT_RUNPATH:
		dynamic->runpath_offset = dyn->d_un.d_val;
		dynamic->has_runpath = true;
		break;
	case DT_FLAGS_1:
		*is_pie = dyn->d_un.d_val & DF_1_PIE;
		break;
	}
}

static const Elf64_Dyn *dynamic_at(const struct elf_image *image, size_t index)
{
	return elf_image_at(image, image->dynamic.vaddr + index * sizeof(Elf64_Dyn), sizeof(Elf64_Dyn));
}

static void read_dynamic(struct elf_image *image, const Elf64_Phdr *phdr, bool *is_pie)
{
	size_t max = phdr->p_memsz / sizeof(Elf64_Dyn), i;
	const Elf64_Dyn *dyn;

	if (phdr->p_vaddr >= USER_END || phdr->p_vaddr % 8)
		return;
	image->dynamic.vaddr = phdr->p_vaddr;
	for (i = 0; i < max && i < DYNAMIC_MAX; i++) {
		dyn = dynamic_at(image, i);
		if (!dyn || dyn->d_tag == DT_NULL)
			break;
		note_dynamic_entry(image, dyn, is_pie);
	}
	image->dynamic.count = i;
	/* No linker does that. */
	if (image->dynamic.symtab % 8)
		image->dynamic.symtab = 0;
	if (image->dynamic.rela.vaddr % 8)
		image->dynamic.rela.vaddr = 0;
}

static const char *dynamic_string(const struct elf_image *image, uint64_t offset)
{
	const struct elf_table *strtab = &image->dynamic.strtab;

	if (!strtab->vaddr || offset >= strtab->size)
		return NULL;
	return elf_image_string(image, strtab->vaddr + offset, NAME_SIZE_MAX);
}

const char *elf_image_soname(const struct elf_image *image)
{
	if (!image->dynamic.has_soname)
		return NULL;
	return dynamic_string(image, image->dynamic.soname_offset);
}

const char *elf_image_runpath(const struct elf_image *image)
{
	return image->dynamic.has_runpath ? dynamic_string(image, image->dynamic.runpath_offset) : NULL;
}

const char *elf_image_needed(const struct elf_image *image, size_t index)
{
	for (size_t i = 0; i < image->dynamic.count; i++) {
		const Elf64_Dyn *dyn = dynamic_at(image, i);

		if (dyn->d_tag != DT_NEEDED || index-- > 0)
			continue;
		return dynamic_string(image, dyn->d_un.d_val) ?: "";
	}
	return NULL;
}

bool elf_image_needs(const struct elf_image *image, const char *prefix)
{
	const char *name;

	for (size_t i = 0; (name = elf_image_needed(image, i)); i++) {
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

/* ---- opening ---- */

/* Linkers older than DF_1_PIE (binutils 2.26) leave the interpreter as the only hint. */
static enum elf_image_kind kind_of(const struct elf_image *image, uint16_t type, bool is_pie)
{
	if (type == ET_EXEC)
		return ELF_IMAGE_EXEC;
	if (is_pie || (image->has_interp && !image->dynamic.has_soname))
		return ELF_IMAGE_PIE;
	return ELF_IMAGE_SHARED;
}

static int read_headers(struct elf_image *image, const char **reason)
{
	const Elf64_Ehdr *ehdr;
	Elf64_Phdr dynamic = {0};
	bool is_pie = false;
	int r;

	r = read_ehdr(image, &ehdr, reason);
	if (r < 0)
		return r;
	r = read_phdrs(image, ehdr, &dynamic);
	if (r < 0)
		return r;
	if (image->is_dynamic)
		read_dynamic(image, &dynamic, &is_pie);
	note_sections(image, ehdr);
	image->entry = ehdr->e_entry;
	image->kind = kind_of(image, ehdr->e_type, is_pie);
	return 0;
}

int elf_image_new(int fd, struct elf_image **ret, const char **reason)
{
	_cleanup_elf_image_ struct elf_image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return -ENOMEM;
	r = elf_file_new(fd, &image->file);
	if (r < 0)
		return r;
	r = read_headers(image, reason);
	if (r < 0)
		return r;
	*ret = take_ptr(image);
	return 0;
}

/* ---- bytes ---- */

static const struct elf_segment *segment_at(const struct elf_image *image, uint64_t vaddr)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->memsz)
			return segment;
	}
	return NULL;
}

const void *elf_image_at(const struct elf_image *image, uint64_t vaddr, uint64_t len)
{
	const struct elf_segment *segment = segment_at(image, vaddr);
	uint64_t skip;

	if (!segment)
		return NULL;
	skip = vaddr - segment->vaddr;
	if (skip > segment->filesz || len > segment->filesz - skip)
		return NULL;
	return elf_file_at(image->file, segment->offset + skip, len);
}

const char *elf_image_string(const struct elf_image *image, uint64_t vaddr, size_t max)
{
	const struct elf_segment *segment = segment_at(image, vaddr);
	const char *s;
	uint64_t left;

	if (!segment || vaddr - segment->vaddr >= segment->filesz)
		return NULL;
	left = segment->filesz - (vaddr - segment->vaddr);
	if (left < max)
		max = left;
	/* Most strings end within the block that is read anyway; only a few need a second look. */
	for (size_t len = 64 < max ? 64 : max;; len = max) {
		s = elf_image_at(image, vaddr, len);
		if (!s || memchr(s, '\0', len))
			return s;
		if (len == max)
			return NULL;
	}
}

int elf_image_read(const struct elf_image *image, uint64_t vaddr, void *buf, size_t len)
{
	const struct elf_segment *segment = segment_at(image, vaddr);
	uint64_t skip, in_file = 0;
	const void *bytes;

	if (!segment || len > segment->memsz - (vaddr - segment->vaddr))
		return -EFAULT;
	skip = vaddr - segment->vaddr;
	if (skip < segment->filesz)
		in_file = segment->filesz - skip < len ? segment->filesz - skip : len;
	if (in_file) {
		bytes = elf_file_at(image->file, segment->offset + skip, in_file);
		if (!bytes)
			return -EFAULT;
		memcpy(buf, bytes, in_file);
	}
	memset((char *)buf + in_file, 0, len - in_file);
	return 0;
}

const struct elf_segment *elf_image_code_segment(const struct elf_image *image, uint64_t vaddr)
{
	const struct elf_segment *segment = segment_at(image, vaddr);

	return segment && (segment->flags & PF_X) ? segment : NULL;
}

/* ---- relocated pointers ---- */

static uint64_t symbol_value(const struct elf_image *image, uint64_t index)
{
	const Elf64_Sym *sym;

	if (index == 0 || image->dynamic.symtab == 0)
		return 0;
	sym = elf_image_at(image, image->dynamic.symtab + index * sizeof(*sym), sizeof(*sym));
	return sym && sym->st_shndx != SHN_UNDEF ? sym->st_value : 0;
}

static void relocate(const struct elf_image *image, const Elf64_Rela *rela, uint64_t *pointer)
{
	uint64_t value;

	switch (ELF64_R_TYPE(rela->r_info)) {
	case R_X86_64_RELATIVE:
		*pointer = (uint64_t)rela->r_addend;
		break;
	case R_X86_64_64:
	case R_X86_64_GLOB_DAT:
		value = symbol_value(image, ELF64_R_SYM(rela->r_info));
		*pointer = value ? value + (uint64_t)rela->r_addend : 0;
		break;
	}
}

int elf_image_read_pointers(const struct elf_image *image, uint64_t vaddr, uint64_t *ret, size_t n)
{
	const struct elf_table *table = &image->dynamic.rela;
	const Elf64_Rela *rela;
	int r;

	if (n > SIZE_MAX / sizeof(*ret))
		return -EFAULT;
	r = elf_image_read(image, vaddr, ret, n * sizeof(*ret));
	if (r < 0)
		return r;
	rela = table->vaddr ? elf_image_at(image, table->vaddr, table->size) : NULL;
	for (size_t i = 0; rela && i < table->size / sizeof(*rela); i++) {
		uint64_t skip = rela[i].r_offset - vaddr;

		if (skip / sizeof(*ret) < n && skip % sizeof(*ret) == 0)
			relocate(image, &rela[i], &ret[skip / sizeof(*ret)]);
	}
	return 0;
}

/* ---- where it is loaded ---- */

void elf_image_extent(const struct elf_image *image, uint64_t *start, uint64_t *end)
{
	*start = UINT64_MAX;
	*end = 0;
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *segment = &image->segments[i];
		uint64_t first = page_floor(segment->vaddr);
		uint64_t last = page_ceil(segment->vaddr + segment->memsz);

		*start = first < *start ? first : *start;
		*end = last > *end ? last : *end;
	}
}

static bool segment_maps(const struct elf_segment *segment, uint64_t offset, bool executable)
{
	return !!(segment->flags & PF_X) == executable && segment->filesz > 0 &&
	       offset >= page_floor(segment->offset) && offset < page_ceil(segment->offset + segment->filesz);
}

int elf_image_bias(const struct elf_image *image, uint64_t offset, uint64_t addr, bool executable, uint64_t *ret)
{
	uint64_t bias = 0;
	bool found = false;

	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *segment = &image->segments[i];
		uint64_t candidate = addr - (segment->vaddr + (offset - segment->offset));

		if (!segment_maps(segment, offset, executable))
			continue;
		if (found && candidate != bias)
			return -EBADMSG;
		bias = candidate;
		found = true;
	}
	if (!found)
		return -ENOENT;
	if (bias % PAGE_SIZE || (image->kind == ELF_IMAGE_EXEC && bias != 0))
		return -EBADMSG;
	*ret = bias;
	return 0;
}
