/* attach/region.c: what is found in a region, and what a hostile one can do to its reader: nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "attach/region.h"

#define FIRST sizeof(struct region_header)

struct seen {
	unsigned int files, lines, codes;
	char name[64];
	uint32_t last_line;
	unsigned int ways; /* of the last code object's first bytes of bytecode */
};

static int on_file(void *arg, uint32_t file, const char *name, size_t len, bool refused)
{
	struct seen *s = arg;

	(void)file;
	s->files++;
	if (len < sizeof(s->name)) {
		memcpy(s->name, name, len);
		s->name[len] = 0;
	}
	return 0;
}

static int on_lines(void *arg, uint32_t file, uint32_t first, const unsigned char *bits, size_t n)
{
	struct seen *s = arg;

	(void)file;
	for (size_t i = 0; i < 8 * n; i++) {
		if (bits[i / 8] >> i % 8 & 1) {
			s->lines++;
			s->last_line = first + (uint32_t)i;
		}
	}
	return 0;
}

static int on_code(void *arg, uint32_t number, const struct region_code *code, const char *qualname,
		   const unsigned char *table)
{
	struct seen *s = arg;
	volatile unsigned int sum = 0;

	/* All that is promised may be read. */
	for (uint32_t i = 0; i < code->name_len; i++)
		sum += (unsigned char)qualname[i];
	for (uint32_t i = 0; i < code->table_len; i++)
		sum += table[i];
	for (uint32_t i = 0; i < code->kept + REGION_WAYS_SIZE(code->kept); i++)
		sum += table[code->table_len + i];
	if (code->kept)
		s->ways = table[code->table_len + code->kept];
	s->codes++;
	return 0;
}

static int walk(int fd, struct seen *s)
{
	struct region_visitor v = {on_file, on_lines, on_code, s};

	memset(s, 0, sizeof(*s));
	return region_walk(fd, &v);
}

static int new_region(void)
{
	int fd = memfd_create("region", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(region_create(fd), 0);
	assert_true(region_is_valid(fd));
	return fd;
}

static void put(int fd, const void *data, size_t len, size_t at)
{
	assert_int_equal(pwrite(fd, data, len, (off_t)at), len);
}

static void put_word(int fd, uint32_t value, size_t at)
{
	put(fd, &value, sizeof(value), at);
}

/* One file "/a.py" with line 1, line 1025 and line 2^31 - 1, and one code object. */
static void fill(int fd)
{
	struct region_file file = {.name_len = 5};
	struct region_code code = {.file = FIRST, .name_len = 1, .table_len = 2, .kept = 8};
	uint32_t at = FIRST + 256, top, leaf, chunk;

	file.near[0] = at;
	put_word(fd, 1u << 1, at);
	file.near[1] = at + 128;
	put_word(fd, 1u << 1, at + 128);
	top = file.far = at + 256;
	leaf = top + 4 * REGION_FAR_TOP;
	chunk = leaf + 4 * REGION_FAR_LEAF;
	put_word(fd, leaf, top + 4 * (REGION_FAR_TOP - 1));
	put_word(fd, chunk, leaf + 4 * (REGION_FAR_LEAF - 1));
	put(fd, "\x80", 1, chunk + 127);
	put(fd, &file, sizeof(file), FIRST);
	put(fd, "/a.py", 5, FIRST + sizeof(file));
	put_word(fd, FIRST, offsetof(struct region_header, file_buckets) + 4 * 77);
	put(fd, &code, sizeof(code), chunk + 128);
	put(fd, "fTTBYTECODE\x39", 12, chunk + 128 + sizeof(code));
	put_word(fd, chunk + 128, offsetof(struct region_header, code_buckets) + 4 * 99);
	put_word(fd, chunk + 256, offsetof(struct region_header, used));
}

static void test_empty(void **state)
{
	int fd = new_region();
	struct seen s;

	(void)state;
	assert_int_equal(walk(fd, &s), 0);
	assert_int_equal(s.files + s.lines + s.codes, 0);
	close(fd);
}

static void test_walk(void **state)
{
	int fd = new_region();
	struct seen s;

	(void)state;
	fill(fd);
	assert_int_equal(walk(fd, &s), 0);
	assert_int_equal(s.files, 1);
	assert_string_equal(s.name, "/a.py");
	assert_int_equal(s.lines, 3);
	assert_int_equal(s.last_line, 0x7fffffff);
	assert_int_equal(s.codes, 1);
	assert_int_equal(s.ways, 0x39);
	assert_int_equal(region_forget_lines(fd), 0);
	assert_int_equal(walk(fd, &s), 0);
	assert_int_equal(s.files + s.codes, 2);
	assert_int_equal(s.lines + s.ways, 0);
	close(fd);
}

static void test_is_over(void **state)
{
	int fd = new_region();
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)state;
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_false(region_is_over(fd));
	munmap(map, 4096);
	assert_true(region_is_over(fd));
	close(fd);
}

static void test_cycle(void **state)
{
	int fd = new_region();
	struct seen s;

	(void)state;
	fill(fd);
	put_word(fd, FIRST, FIRST); /* its own successor */
	assert_int_equal(walk(fd, &s), -EBADMSG);
	close(fd);
}

/* One leaf in every place of a table, that of one chunk in every place: a thousand times as much as there is. */
static void test_shared(void **state)
{
	uint32_t top = FIRST + 256 + 256, leaf = top + 4 * REGION_FAR_TOP, chunk = leaf + 4 * REGION_FAR_LEAF;
	int fd = new_region();
	struct seen s;

	(void)state;
	fill(fd);
	for (uint32_t i = 0; i < REGION_FAR_TOP; i++)
		put_word(fd, leaf, top + 4 * i);
	for (uint32_t i = 0; i < REGION_FAR_LEAF; i++)
		put_word(fd, chunk, leaf + 4 * i);
	assert_int_equal(walk(fd, &s), -EBADMSG);
	assert_true(s.lines < (chunk + 256) / 128);
	close(fd);
}

static void test_lies(void **state)
{
	static const uint32_t values[] = {0,	1, 3, 0x7fffffff, 0x80000000, 0xffffffff, REGION_SIZE, REGION_SIZE - 4,
					  FIRST};

	(void)state;
	/* Each word of the records in turn, and of the header's beginning, is a lie. */
	for (size_t at = offsetof(struct region_header, used); at < FIRST + 256 + 300; at = at == 28 ? FIRST : at + 4) {
		for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
			int fd = new_region(), r;
			struct seen s;

			fill(fd);
			put_word(fd, values[i], at);
			r = walk(fd, &s);
			assert_true(r == 0 || r == -EBADMSG);
			close(fd);
		}
	}
}

static void test_noise(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		int fd = new_region(), r;
		struct seen s;

		fill(fd);
		for (int i = 0; i < 64; i++)
			put_word(fd, (uint32_t)rand_r(&seed) % (2 * FIRST),
				 (size_t)rand_r(&seed) % ((FIRST + 20000) / 4) * 4 + (i ? 28 : 0));
		put_word(fd, FIRST + 20000, offsetof(struct region_header, used));
		r = walk(fd, &s);
		assert_true(r == 0 || r == -EBADMSG);
		close(fd);
	}
}

static void test_not_a_region(void **state)
{
	int fd = memfd_create("other", MFD_CLOEXEC);
	struct seen s;

	(void)state;
	assert_false(region_is_valid(fd));
	assert_int_equal(walk(fd, &s), -EBADMSG);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	     cmocka_unit_test(test_walk),   cmocka_unit_test(test_is_over),
		cmocka_unit_test(test_cycle),	     cmocka_unit_test(test_lies),   cmocka_unit_test(test_noise),
		cmocka_unit_test(test_not_a_region), cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
