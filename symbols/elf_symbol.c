#include "symbols/elf_symbol.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "symbols/elf_file.h"
#include "symbols/elf_image.h"

/* Real chains have a handful of entries, real tables some hundred thousand symbols. */
#define CHAIN_MAX 4096
#define SYMBOLS_MAX ((uint64_t)1 << 22)

/** DT_GNU_HASH: header, Bloom filter, buckets, then one hash per symbol from symbol_offset on. */
struct gnu_hash {
	uint32_t n_buckets, symbol_offset, bloom_size, bloom_shift;
	uint64_t bloom, buckets, chain; /* vaddrs */
};

/** DT_HASH: header, buckets, then one link per symbol. */
struct sysv_hash {
	uint32_t n_buckets, n_chains;
	uint64_t buckets, chain;
};

typedef bool symbol_predicate(const struct elf_image *image, const Elf64_Sym *sym, const char *s);

static const Elf64_Sym *symbol_at(const struct elf_image *image, uint64_t index)
{
	uint64_t symtab = image->dynamic.symtab;

	if (symtab == 0 || index >= SYMBOLS_MAX)
		return NULL;
	return elf_image_at(image, symtab + index * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
}

/** The @p len bytes of the name of @p sym, or NULL if the string table does not have so many. */
static const char *name_bytes(const struct elf_image *image, const Elf64_Sym *sym, size_t len)
{
	const struct elf_table *strtab = &image->dynamic.strtab;

	if (sym->st_name >= strtab->size || len > strtab->size - sym->st_name)
		return NULL;
	return elf_image_at(image, strtab->vaddr + sym->st_name, len);
}

static bool has_name(const struct elf_image *image, const Elf64_Sym *sym, const char *name)
{
	const char *bytes = name_bytes(image, sym, strlen(name) + 1);

	return bytes && memcmp(bytes, name, strlen(name) + 1) == 0;
}

static bool has_prefix(const struct elf_image *image, const Elf64_Sym *sym, const char *prefix)
{
	const char *bytes = name_bytes(image, sym, strlen(prefix));

	return bytes && memcmp(bytes, prefix, strlen(prefix)) == 0;
}

static bool is_definition(const Elf64_Sym *sym)
{
	return sym->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(sym->st_info) != STT_TLS && sym->st_value != 0;
}

/* ---- the two hash tables ---- */

static bool read_u32(const struct elf_image *image, uint64_t vaddr, uint32_t *ret)
{
	const uint32_t *p = vaddr % 4 ? NULL : elf_image_at(image, vaddr, sizeof(*p));

	if (p)
		*ret = *p;
	return p;
}

static bool gnu_hash_open(const struct elf_image *image, struct gnu_hash *table)
{
	uint64_t vaddr = image->dynamic.gnu_hash;
	const uint32_t *header = vaddr && vaddr % 8 == 0 ? elf_image_at(image, vaddr, 16) : NULL;

	if (!header || header[0] == 0 || header[2] == 0 || header[3] >= 32)
		return false;
	*table = (struct gnu_hash){
		.n_buckets = header[0],
		.symbol_offset = header[1],
		.bloom_size = header[2],
		.bloom_shift = header[3],
		.bloom = vaddr + 16,
	};
	table->buckets = table->bloom + (uint64_t)table->bloom_size * 8;
	table->chain = table->buckets + (uint64_t)table->n_buckets * 4;
	return true;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t h = 5381;

	for (const unsigned char *s = (const unsigned char *)name; *s; s++)
		h = h * 33 + *s;
	return h;
}

/** False if the Bloom filter knows that no name with hash @p h is there. */
static bool gnu_hash_may_have(const struct elf_image *image, const struct gnu_hash *table, uint32_t h)
{
	uint64_t word = h / 64 % table->bloom_size;
	const uint64_t *bits = elf_image_at(image, table->bloom + word * 8, 8);

	return bits && *bits >> (h % 64) & 1 && *bits >> ((h >> table->bloom_shift) % 64) & 1;
}

static const Elf64_Sym *gnu_hash_find(const struct elf_image *image, const struct gnu_hash *table, const char *name)
{
	uint32_t h = gnu_hash_of(name), index, entry;

	if (!gnu_hash_may_have(image, table, h) ||
	    !read_u32(image, table->buckets + (uint64_t)(h % table->n_buckets) * 4, &index) ||
	    index < table->symbol_offset)
		return NULL;
	for (unsigned int step = 0; step < CHAIN_MAX; step++, index++) {
		uint64_t link = index - table->symbol_offset;
		const Elf64_Sym *sym;

		if (!read_u32(image, table->chain + link * 4, &entry))
			return NULL;
		sym = (entry ^ h) >> 1 ? NULL : symbol_at(image, index);
		if (sym && has_name(image, sym, name))
			return sym;
		if (entry & 1)
			return NULL;
	}
	return NULL;
}

static bool sysv_hash_open(const struct elf_image *image, struct sysv_hash *table)
{
	uint64_t vaddr = image->dynamic.hash;
	const uint32_t *header = vaddr && vaddr % 4 == 0 ? elf_image_at(image, vaddr, 8) : NULL;

	if (!header || header[0] == 0)
		return false;
	*table = (struct sysv_hash){
		.n_buckets = header[0],
		.n_chains = header[1],
		.buckets = vaddr + 8,
		.chain = vaddr + 8 + (uint64_t)header[0] * 4,
	};
	return true;
}

static uint32_t sysv_hash_of(const char *name)
{
	uint32_t h = 0, high;

	for (const unsigned char *s = (const unsigned char *)name; *s; s++) {
		h = (h << 4) + *s;
		high = h & 0xf0000000;
		h = (h ^ high >> 24) & ~high;
	}
	return h;
}

static const Elf64_Sym *sysv_hash_find(const struct elf_image *image, const struct sysv_hash *table, const char *name)
{
	uint32_t bucket = sysv_hash_of(name) % table->n_buckets, index;

	if (!read_u32(image, table->buckets + (uint64_t)bucket * 4, &index))
		return NULL;
	for (unsigned int step = 0; step < CHAIN_MAX && index < table->n_chains; step++) {
		const Elf64_Sym *sym = index ? symbol_at(image, index) : NULL;

		if (!sym)
			return NULL;
		if (has_name(image, sym, name))
			return sym;
		if (!read_u32(image, table->chain + (uint64_t)index * 4, &index))
			return NULL;
	}
	return NULL;
}

/** The dynamic symbol @p name, if a hash table leads to it: those defined, and some undefined. */
static const Elf64_Sym *hash_find(const struct elf_image *image, const char *name)
{
	struct gnu_hash gnu;
	struct sysv_hash sysv;

	if (gnu_hash_open(image, &gnu))
		return gnu_hash_find(image, &gnu, name);
	if (sysv_hash_open(image, &sysv))
		return sysv_hash_find(image, &sysv, name);
	return NULL;
}

/* ---- the whole dynamic table ---- */

static const Elf64_Shdr *find_section(const struct elf_image *image, uint32_t type)
{
	const Elf64_Shdr *shdr =
		image->n_sections ? elf_file_at(image->file, image->section_offset, image->n_sections * sizeof(*shdr))
				  : NULL;

	for (size_t i = 0; shdr && i < image->n_sections; i++) {
		if (shdr[i].sh_type == type)
			return &shdr[i];
	}
	return NULL;
}

/**
 * How many dynamic symbols there are, or may be. Nothing in the dynamic section says so: DT_HASH
 * does, the GNU table only bounds the undefined ones, an empty one (bfd: symbol_offset 1) nothing.
 * Linkers put the string table right behind the symbols.
 */
static uint64_t symbol_count(const struct elf_image *image)
{
	uint64_t symtab = image->dynamic.symtab, strtab = image->dynamic.strtab.vaddr;
	const Elf64_Shdr *section;
	struct sysv_hash sysv;

	if (sysv_hash_open(image, &sysv))
		return sysv.n_chains;
	section = find_section(image, SHT_DYNSYM);
	if (section && section->sh_addr == symtab)
		return section->sh_size / sizeof(Elf64_Sym);
	return strtab > symtab ? (strtab - symtab) / sizeof(Elf64_Sym) : 0;
}

/**
 * True if @p matches an undefined symbol. With a GNU table these come before the hashed ones, but
 * for functions whose address an ELF_IMAGE_EXEC takes.
 */
static bool any_import(const struct elf_image *image, symbol_predicate *matches, const char *s)
{
	uint64_t count = symbol_count(image);
	const Elf64_Sym *sym;
	struct gnu_hash gnu;

	if (image->kind != ELF_IMAGE_EXEC && gnu_hash_open(image, &gnu) && gnu.symbol_offset > 1 &&
	    gnu.symbol_offset < count)
		count = gnu.symbol_offset;
	for (uint64_t i = 1; i < count && (sym = symbol_at(image, i)); i++) {
		if (sym->st_shndx == SHN_UNDEF && matches(image, sym, s))
			return true;
	}
	return false;
}

/* ---- questions ---- */

static int accept(const Elf64_Sym *sym, struct elf_symbol *ret)
{
	if (!sym || !is_definition(sym))
		return -ENOENT;
	if (ret)
		*ret = (struct elf_symbol){.vaddr = sym->st_value, .size = sym->st_size};
	return 0;
}

/* Without any hash table (none is required of a PIE that exports nothing) look at each symbol. */
static const Elf64_Sym *linear_find(const struct elf_image *image, const char *name)
{
	uint64_t count = symbol_count(image);
	const Elf64_Sym *sym;

	for (uint64_t i = 1; i < count && (sym = symbol_at(image, i)); i++) {
		if (sym->st_shndx != SHN_UNDEF && has_name(image, sym, name))
			return sym;
	}
	return NULL;
}

int elf_symbol_find(const struct elf_image *image, const char *name, struct elf_symbol *ret)
{
	if (!image->dynamic.gnu_hash && !image->dynamic.hash)
		return accept(linear_find(image, name), ret);
	return accept(hash_find(image, name), ret);
}

int elf_symbol_find_full(const struct elf_image *image, const char *name, struct elf_symbol *ret)
{
	const Elf64_Shdr *section = find_section(image, SHT_SYMTAB), *strings = NULL;
	size_t size = strlen(name) + 1;
	const Elf64_Sym *sym;
	const char *text;

	if (!section || section->sh_link >= image->n_sections || section->sh_offset % 8)
		return -ENOENT;
	strings =
		elf_file_at(image->file, image->section_offset + section->sh_link * sizeof(*strings), sizeof(*strings));
	sym = elf_file_at(image->file, section->sh_offset, section->sh_size);
	text = strings ? elf_file_at(image->file, strings->sh_offset, strings->sh_size) : NULL;
	for (size_t i = 0; sym && text && i < section->sh_size / sizeof(*sym); i++) {
		if (sym[i].st_name < strings->sh_size && size <= strings->sh_size - sym[i].st_name &&
		    is_definition(&sym[i]) && memcmp(text + sym[i].st_name, name, size) == 0)
			return accept(&sym[i], ret);
	}
	return -ENOENT;
}

int elf_image_section(const struct elf_image *image, const char *name, uint64_t *vaddr, uint64_t *size)
{
	const Elf64_Shdr *section = image->n_sections ? elf_file_at(image->file, image->section_offset,
								    image->n_sections * sizeof(*section))
						      : NULL;
	const Elf64_Ehdr *header = elf_file_at(image->file, 0, sizeof(*header));
	const Elf64_Shdr *names =
		section && header && header->e_shstrndx < image->n_sections ? &section[header->e_shstrndx] : NULL;
	const char *text = names ? elf_file_at(image->file, names->sh_offset, names->sh_size) : NULL;
	size_t len = strlen(name) + 1;

	for (size_t i = 0; text && i < image->n_sections; i++) {
		if (section[i].sh_name >= names->sh_size || len > names->sh_size - section[i].sh_name ||
		    memcmp(text + section[i].sh_name, name, len) != 0)
			continue;
		*vaddr = section[i].sh_addr;
		*size = section[i].sh_size;
		return 0;
	}
	return -ENOENT;
}

bool elf_symbol_is_defined(const struct elf_image *image, const char *name)
{
	return elf_symbol_find(image, name, NULL) == 0;
}

bool elf_symbol_is_imported(const struct elf_image *image, const char *name)
{
	return any_import(image, has_name, name);
}

bool elf_symbol_is_prefix_imported(const struct elf_image *image, const char *prefix)
{
	return any_import(image, has_prefix, prefix);
}
