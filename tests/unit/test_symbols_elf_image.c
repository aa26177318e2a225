#include "symbols/elf_image.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>

#include "symbols/elf_symbol.h"
#include "test_symbols_pythons.h"

/* ---- an image by hand: everything at its file offset, in one segment ---- */

#define IMAGE_SIZE 4096
#define ALPHA 0x500
#define BETA 0x600

struct toy {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3];
	Elf64_Dyn dynamic[10];
	Elf64_Sym sym[5];
	Elf64_Rela rela[3];
	uint64_t pointers[4];
	struct {
		uint32_t n_buckets, n_chains, buckets[1], chains[5];
	} hash;
	uint64_t align[0];
	struct {
		uint32_t n_buckets, symbol_offset, bloom_size, bloom_shift;
		uint64_t bloom[1];
		uint32_t buckets[1], chains[2];
	} gnu_hash;
	char strings[64];
	char rest[IMAGE_SIZE - 1024];
};

#define AT(member) offsetof(struct toy, member)

static const char toy_strings[] = "\0alpha\0beta\0dlopen\0Py_Main\0libpython3.8.so.1.0\0libtoy.so";

static uint32_t toy_string(const char *s)
{
	for (uint32_t i = 0; i + 1 < sizeof(toy_strings); i++) {
		if (strcmp(toy_strings + i, s) == 0)
			return i;
	}
	return 0;
}

static uint32_t gnu_hash(const char *s)
{
	uint32_t h = 5381;

	while (*s)
		h = h * 33 + (uint8_t)*s++;
	return h;
}

static void toy_init_symbols(struct toy *toy)
{
	const unsigned char global = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);

	toy->sym[1] = (Elf64_Sym){.st_name = toy_string("dlopen"), .st_info = global};
	toy->sym[2] = (Elf64_Sym){.st_name = toy_string("Py_Main"), .st_info = global};
	toy->sym[3] = (Elf64_Sym){
		.st_name = toy_string("alpha"), .st_info = global, .st_shndx = 1, .st_value = ALPHA, .st_size = 8};
	toy->sym[4] = (Elf64_Sym){.st_name = toy_string("beta"), .st_info = global, .st_shndx = 1, .st_value = BETA};
	toy->hash.n_buckets = 1;
	toy->hash.n_chains = 5;
	toy->hash.buckets[0] = 1;
	for (uint32_t i = 1; i < 4; i++)
		toy->hash.chains[i] = i + 1;
	toy->gnu_hash.n_buckets = 1;
	toy->gnu_hash.symbol_offset = 3;
	toy->gnu_hash.bloom_size = 1;
	toy->gnu_hash.bloom[0] = UINT64_MAX;
	toy->gnu_hash.buckets[0] = 3;
	toy->gnu_hash.chains[0] = gnu_hash("alpha") & ~1u;
	toy->gnu_hash.chains[1] = gnu_hash("beta") | 1;
}

static void toy_init_pointers(struct toy *toy)
{
	toy->rela[0] = (Elf64_Rela){AT(pointers[0]), ELF64_R_INFO(0, R_X86_64_RELATIVE), 0x42};
	toy->rela[1] = (Elf64_Rela){AT(pointers[1]), ELF64_R_INFO(4, R_X86_64_64), 2};
	toy->rela[2] = (Elf64_Rela){AT(pointers[2]), ELF64_R_INFO(1, R_X86_64_GLOB_DAT), 0};
	toy->pointers[2] = 1;
	toy->pointers[3] = 0x77; /* as a DT_RELR relocation leaves it */
}

static void toy_init_dynamic(struct toy *toy, bool gnu)
{
	const Elf64_Dyn dynamic[] = {
		{DT_NEEDED, {toy_string("libpython3.8.so.1.0")}},
		{DT_SONAME, {toy_string("libtoy.so")}},
		{gnu ? DT_GNU_HASH : DT_HASH, {gnu ? AT(gnu_hash) : AT(hash)}},
		{DT_SYMTAB, {AT(sym)}},
		{DT_STRTAB, {AT(strings)}},
		{DT_STRSZ, {sizeof(toy->strings)}},
		{DT_RELA, {AT(rela)}},
		{DT_RELASZ, {sizeof(toy->rela)}},
		{DT_NULL, {0}},
	};

	memcpy(toy->dynamic, dynamic, sizeof(dynamic));
}

static void toy_init(struct toy *toy, bool gnu)
{
	*toy = (struct toy){0};
	memcpy(toy->ehdr.e_ident, ELFMAG, SELFMAG);
	toy->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	toy->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	toy->ehdr.e_type = ET_DYN;
	toy->ehdr.e_machine = EM_X86_64;
	toy->ehdr.e_entry = ALPHA;
	toy->ehdr.e_phoff = AT(phdr);
	toy->ehdr.e_phentsize = sizeof(Elf64_Phdr);
	toy->ehdr.e_phnum = 2;
	toy->phdr[0] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof(*toy), .p_memsz = sizeof(*toy) + 16};
	toy->phdr[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
				    .p_vaddr = AT(dynamic),
				    .p_offset = AT(dynamic),
				    .p_filesz = sizeof(toy->dynamic),
				    .p_memsz = sizeof(toy->dynamic)};
	memcpy(toy->strings, toy_strings, sizeof(toy_strings));
	toy_init_symbols(toy);
	toy_init_pointers(toy);
	toy_init_dynamic(toy, gnu);
}

static int write_file(const void *bytes, size_t len)
{
	int fd = memfd_create("toy", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	return fd;
}

static int open_bytes(const void *bytes, size_t len, struct elf_image **ret, const char **reason)
{
	_cleanup_close_ int fd = write_file(bytes, len);

	return elf_image_new(fd, ret, reason);
}

static int toy_open(const struct toy *toy, struct elf_image **ret)
{
	const char *reason = NULL;

	return open_bytes(toy, sizeof(*toy), ret, &reason);
}

/** Ask everything there is to ask; what comes back does not matter. */
static void ask_everything(const struct elf_image *image)
{
	struct elf_symbol symbol;
	uint64_t pointers[8], start, end;
	char buf[64];
	int r;

	elf_image_soname(image);
	elf_image_needs(image, "libpython");
	elf_image_extent(image, &start, &end);
	elf_image_string(image, AT(strings) + 1, sizeof(buf));
	elf_symbol_is_imported(image, "dlopen");
	elf_symbol_is_prefix_imported(image, "Py_");
	r = elf_symbol_find(image, "alpha", &symbol);
	r |= elf_symbol_find(image, "gamma", &symbol);
	r |= elf_symbol_find_full(image, "alpha", &symbol);
	r |= elf_image_read(image, AT(pointers), buf, sizeof(buf));
	r |= elf_image_read_pointers(image, AT(pointers), pointers, ARRAY_SIZE(pointers));
	r |= elf_image_bias(image, 0, 0x10000, true, &start);
	assert_true(r <= 0);
}

/* ---- what a good image says ---- */

static void check_toy(bool gnu)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct elf_symbol symbol;
	struct toy toy;

	toy_init(&toy, gnu);
	assert_int_equal(toy_open(&toy, &image), 0);
	assert_int_equal(image->kind, ELF_IMAGE_SHARED);
	assert_int_equal(image->entry, ALPHA);
	assert_true(image->is_dynamic);
	assert_false(image->has_interp);
	assert_string_equal(elf_image_soname(image), "libtoy.so");
	assert_string_equal(elf_image_needed(image, 0), "libpython3.8.so.1.0");
	assert_null(elf_image_needed(image, 1));
	assert_true(elf_image_needs(image, "libpython"));
	assert_int_equal(elf_symbol_find(image, "alpha", &symbol), 0);
	assert_int_equal(symbol.vaddr, ALPHA);
	assert_int_equal(symbol.size, 8);
	assert_true(elf_symbol_is_defined(image, "beta"));
	assert_false(elf_symbol_is_defined(image, "bet"));
	assert_false(elf_symbol_is_defined(image, "dlopen"));
	assert_true(elf_symbol_is_imported(image, "dlopen"));
	assert_false(elf_symbol_is_imported(image, "alpha"));
	assert_true(elf_symbol_is_prefix_imported(image, "Py_"));
	assert_false(elf_symbol_is_prefix_imported(image, "PyPy"));
}

static void test_hash(void **state)
{
	check_toy(false);
}

static void test_gnu_hash(void **state)
{
	check_toy(true);
}

static void test_pointers(void **state)
{
	const uint64_t expected[] = {0x42, BETA + 2, 0, 0x77};
	_cleanup_elf_image_ struct elf_image *image = NULL;
	uint64_t pointers[ARRAY_SIZE(expected)], tail[2];
	struct toy toy;

	toy_init(&toy, true);
	assert_int_equal(toy_open(&toy, &image), 0);
	assert_int_equal(elf_image_read_pointers(image, AT(pointers), pointers, 4), 0);
	assert_memory_equal(pointers, expected, sizeof(expected));
	/* the 16 bytes of memory behind the file's are zero, and there is nothing behind them */
	assert_int_equal(elf_image_read(image, sizeof(toy), tail, sizeof(tail)), 0);
	assert_int_equal(tail[0] | tail[1], 0);
	assert_int_equal(elf_image_read(image, sizeof(toy) + 8, tail, sizeof(tail)), -EFAULT);
	assert_null(elf_image_at(image, sizeof(toy) - 8, 16));
	assert_null(elf_image_at(image, 1ull << 40, 1));
	assert_null(elf_image_at(image, 16, UINT64_MAX));
}

static void test_kinds(void **state)
{
	_cleanup_elf_image_ struct elf_image *exec = NULL;
	_cleanup_elf_image_ struct elf_image *pie = NULL;
	struct toy toy;

	toy_init(&toy, true);
	toy.ehdr.e_type = ET_EXEC;
	assert_int_equal(toy_open(&toy, &exec), 0);
	assert_int_equal(exec->kind, ELF_IMAGE_EXEC);
	toy.ehdr.e_type = ET_DYN;
	toy.dynamic[8] = (Elf64_Dyn){DT_FLAGS_1, {DF_1_PIE}};
	assert_int_equal(toy_open(&toy, &pie), 0);
	assert_int_equal(pie->kind, ELF_IMAGE_PIE);
}

static void test_other_machines(void **state)
{
	struct elf_image *image = NULL;
	const char *reason = NULL;
	struct toy toy;

	toy_init(&toy, true);
	toy.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(open_bytes(&toy, 52, &image, &reason), -ENOTSUP);
	assert_string_equal(reason, "32-bit programs");
	toy.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	toy.ehdr.e_machine = EM_AARCH64;
	assert_int_equal(open_bytes(&toy, sizeof(toy), &image, &reason), -ENOTSUP);
	toy.ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(open_bytes(&toy, sizeof(toy), &image, &reason), -ENOTSUP);
	assert_int_equal(open_bytes("#!/bin/sh\nexit 0\n\n\n\n\n", 20, &image, &reason), -ENOEXEC);
	assert_int_equal(open_bytes(ELFMAG, 4, &image, &reason), -ENOEXEC);
	assert_int_equal(open_bytes("", 0, &image, &reason), -ENOEXEC);
	assert_null(image);
}

static void test_bias(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct toy toy;
	uint64_t bias;

	toy_init(&toy, true);
	/* code in the first page, data behind it in the file but with a hole in memory */
	toy.ehdr.e_phnum = 3;
	toy.phdr[2] = (Elf64_Phdr){.p_type = PT_LOAD,
				   .p_flags = PF_R | PF_W,
				   .p_offset = 0xf00,
				   .p_vaddr = 0x3f00,
				   .p_filesz = 0x80,
				   .p_memsz = 0x80};
	assert_int_equal(toy_open(&toy, &image), 0);
	assert_int_equal(elf_image_bias(image, 0, 0x7f0000000000, true, &bias), 0);
	assert_int_equal(bias, 0x7f0000000000);
	assert_int_equal(elf_image_bias(image, 0, 0x7f0000003000, false, &bias), 0);
	assert_int_equal(bias, 0x7f0000000000);
	assert_int_equal(elf_image_bias(image, 0, 0x7f0000000123, true, &bias), -EBADMSG);
	assert_int_equal(elf_image_bias(image, 0x10000, 0x7f0000000000, true, &bias), -ENOENT);
}

static void test_bias_of_fixed_program(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct toy toy;
	uint64_t bias;

	toy_init(&toy, true);
	toy.ehdr.e_type = ET_EXEC;
	assert_int_equal(toy_open(&toy, &image), 0);
	assert_int_equal(elf_image_bias(image, 0, 0, true, &bias), 0);
	assert_int_equal(elf_image_bias(image, 0, 0x1000, true, &bias), -EBADMSG);
}

/* ---- what a bad one may not do ---- */

static void test_broken_headers(void **state)
{
	struct elf_image *image = NULL;
	struct toy good, toy;

	toy_init(&good, true);
#define BREAK(statement)                                                                                               \
	do {                                                                                                           \
		toy = good;                                                                                            \
		statement;                                                                                             \
		assert_int_equal(toy_open(&toy, &image), -EBADMSG);                                                    \
	} while (0)
	BREAK(toy.ehdr.e_phnum = 0);
	BREAK(toy.ehdr.e_phnum = 65535);
	BREAK(toy.ehdr.e_phnum = 1000);
	BREAK(toy.ehdr.e_phoff = UINT64_MAX - 8);
	BREAK(toy.ehdr.e_phentsize = 1);
	BREAK(toy.phdr[0].p_type = PT_NULL);
	BREAK(toy.phdr[0].p_vaddr = UINT64_MAX - 4095);
	BREAK(toy.phdr[0].p_memsz = UINT64_MAX);
	BREAK(toy.phdr[0].p_memsz = 16);
	BREAK(toy.phdr[0].p_offset = UINT64_MAX - 4095);
	BREAK(toy.phdr[0].p_offset = 8);
#undef BREAK
	assert_null(image);
}

static void test_looped_hash_chain(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct toy toy;

	toy_init(&toy, false);
	toy.hash.chains[4] = 1;
	assert_int_equal(toy_open(&toy, &image), 0);
	assert_false(elf_symbol_is_defined(image, "gamma"));
	assert_true(elf_symbol_is_defined(image, "beta"));
}

static void test_endless_gnu_chain(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct toy toy;

	toy_init(&toy, true);
	toy.gnu_hash.chains[1] &= ~1u;
	memset(toy.rest, 2, sizeof(toy.rest));
	assert_int_equal(toy_open(&toy, &image), 0);
	assert_false(elf_symbol_is_defined(image, "gamma"));
}

static void test_overlapping_segments(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct toy toy;
	uint64_t bias;

	toy_init(&toy, true);
	toy.ehdr.e_phnum = 3;
	toy.phdr[2] = toy.phdr[0];
	toy.phdr[2].p_vaddr = 0x1000;
	assert_int_equal(toy_open(&toy, &image), 0);
	ask_everything(image);
	assert_int_equal(elf_image_bias(image, 0, 0x10000, true, &bias), -EBADMSG);
}

static void test_truncated(void **state)
{
	const char *reason = NULL;
	struct toy toy;

	toy_init(&toy, true);
	for (size_t len = 0; len < sizeof(toy); len += len < AT(rest) ? 1 : 97) {
		_cleanup_elf_image_ struct elf_image *image = NULL;

		if (open_bytes(&toy, len, &image, &reason) == 0)
			ask_everything(image);
	}
}

static void test_file_that_shrinks(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	static uint8_t bytes[65536];
	_cleanup_close_ int fd = -1;
	const char *reason = NULL;

	toy_init((struct toy *)bytes, true);
	((struct toy *)bytes)->phdr[0].p_filesz = sizeof(bytes);
	((struct toy *)bytes)->phdr[0].p_memsz = sizeof(bytes);
	fd = write_file(bytes, sizeof(bytes));
	assert_int_equal(elf_image_new(fd, &image, &reason), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_null(elf_image_at(image, 60000, 16));
	assert_true(elf_symbol_is_defined(image, "beta"));
}

/* Each byte of the headers and tables in turn becomes each of some telling values. */
static void test_every_byte_wrong(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct toy good, toy;

	for (size_t i = 0; i < AT(rest) * 2 * ARRAY_SIZE(values); i++) {
		_cleanup_elf_image_ struct elf_image *image = NULL;

		toy_init(&good, i & 1);
		toy = good;
		((uint8_t *)&toy)[i / 2 / ARRAY_SIZE(values)] = values[i / 2 % ARRAY_SIZE(values)];
		if (toy_open(&toy, &image) == 0)
			ask_everything(image);
	}
}

/* ---- this program and its C library, which are loaded ---- */

static int (*const own_pointers[])(const char *) = {atoi, puts, NULL};
static void (*const own_tests[])(void **) = {test_bias, test_hash, NULL};

static int find_bias(struct dl_phdr_info *info, size_t size, void *arg)
{
	*(uint64_t *)arg = info->dlpi_addr;
	return 1; /* the first is the program */
}

static void test_own_program(void **state)
{
	_cleanup_elf_image_ struct elf_image *image = test_open_image("/proc/self/exe");
	uint64_t bias = 0, pointers[3];

	dl_iterate_phdr(find_bias, &bias);
	assert_true(image->has_interp);
	assert_true(elf_image_needs(image, "libcmocka"));
	assert_true(elf_symbol_is_imported(image, "_cmocka_run_group_tests"));
	assert_true(elf_symbol_is_prefix_imported(image, "_cmocka_run_"));
	assert_false(elf_symbol_is_imported(image, "_cmocka_run_"));
	assert_int_equal(elf_image_read_pointers(image, (uint64_t)(uintptr_t)own_tests - bias, pointers, 3), 0);
	assert_int_equal(pointers[0] + bias, (uint64_t)(uintptr_t)test_bias);
	assert_int_equal(pointers[1] + bias, (uint64_t)(uintptr_t)test_hash);
	assert_int_equal(pointers[2], 0);
	/* of another image */
	assert_int_equal(elf_image_read_pointers(image, (uint64_t)(uintptr_t)own_pointers - bias, pointers, 1), 0);
	assert_int_equal(pointers[0], 0);
}

static void test_own_library(void **state)
{
	static const char *const names[] = {"malloc", "qsort", "getpid", "dlopen", "environ"};
	struct link_map *map;
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	struct elf_image *image;

	assert_non_null(libc);
	assert_int_equal(dlinfo(libc, RTLD_DI_LINKMAP, &map), 0);
	image = test_open_image(map->l_name);
	assert_int_equal(image->kind, ELF_IMAGE_SHARED);
	assert_string_equal(elf_image_soname(image), "libc.so.6");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct elf_symbol symbol;
		void *address;

		if (elf_symbol_find(image, names[i], &symbol) < 0)
			continue; /* dlopen was in libdl before glibc 2.34 */
		address = dlsym(libc, names[i]);
		assert_true(strcmp(names[i], "environ") == 0 || strcmp(names[i], "malloc") == 0 ||
			    symbol.vaddr + map->l_addr == (uint64_t)(uintptr_t)address);
	}
	assert_true(elf_symbol_is_defined(image, "qsort"));
	assert_false(elf_symbol_is_defined(image, "Py_Main"));
	elf_image_free(image);
	dlclose(libc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_gnu_hash),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_other_machines),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_bias_of_fixed_program),
		cmocka_unit_test(test_broken_headers),
		cmocka_unit_test(test_looped_hash_chain),
		cmocka_unit_test(test_endless_gnu_chain),
		cmocka_unit_test(test_overlapping_segments),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_file_that_shrinks),
		cmocka_unit_test(test_every_byte_wrong),
		cmocka_unit_test(test_own_program),
		cmocka_unit_test(test_own_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
