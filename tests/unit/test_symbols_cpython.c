#include "symbols/cpython.h"

#include <errno.h>

#include "symbols/debug_offsets.h"
#include "symbols/elf_image.h"
#include "symbols/elf_symbol.h"
#include "test_symbols_pythons.h"

static int load(const struct elf_image *image, struct cpython *ret, const char **reason)
{
	*reason = NULL;
	return cpython_load(image, ret, reason);
}

static uint64_t vaddr_of(const struct elf_image *image, const char *name)
{
	uint64_t vaddr;

	assert_int_equal(cpython_resolve(image, &name, 1, &vaddr), 1);
	return vaddr;
}

static struct elf_image *open_fd(int fd)
{
	struct elf_image *image = NULL;
	const char *reason;

	assert_int_equal(elf_image_new(fd, &image, &reason), 0);
	return image;
}

static void check_interpreter(const struct test_python *expected)
{
	static const char *const names[] = {"PyEval_EvalCode", "PyCode_Type", "Py_NoSuchThing", "Py_IncRef"};
	_cleanup_elf_image_ struct elf_image *image = test_open_image(expected->image);
	char version[CPYTHON_VERSION_SIZE];
	uint64_t vaddrs[ARRAY_SIZE(names)];
	struct cpython python;
	const char *reason;

	assert_int_equal(cpython_probe(image), CPYTHON_DEFINED);
	if (load(image, &python, &reason) < 0)
		fail_msg("%s: %s", expected->name, reason);
	assert_string_equal(cpython_version_format(python.hexversion, version), expected->version);
	assert_int_equal(python.minor, expected->minor);
	assert_int_equal(python.layout.minor, expected->minor);
	assert_true(python.is_final);
	assert_false(python.is_debug);
	assert_false(python.is_free_threaded);
	assert_int_equal(python.runtime, vaddr_of(image, "_PyRuntime"));
	assert_int_equal(cpython_resolve(image, names, ARRAY_SIZE(names), vaddrs), 3);
	assert_int_equal(vaddrs[2], 0);
	assert_non_null(elf_image_code_segment(image, vaddrs[0]));
	assert_null(elf_image_code_segment(image, vaddrs[1]));
}

static void test_all_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++)
		check_interpreter(&pythons[i]);
}

/* The row has to say what the build says of itself, or the row is wrong. */
static void test_debug_offsets_confirm_rows(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++) {
		_cleanup_elf_image_ struct elf_image *image = test_open_image(pythons[i].image);
		const struct layout *row = layout_find(pythons[i].minor);
		struct cpython python;
		const char *reason;

		assert_int_equal(load(image, &python, &reason), 0);
		assert_memory_equal(&python.layout, row, sizeof(*row));
	}
}

static void test_debug_build(void **state)
{
	const char *path = "/usr/bin/python3.11-dbg";
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct cpython python;
	const char *reason;

	if (access(path, R_OK) < 0) {
		print_message("%s is not there\n", path);
		skip();
	}
	image = test_open_image(path);
	assert_int_equal(load(image, &python, &reason), 0);
	assert_true(python.is_debug);
}

static void check_refused(const char *path, const char *expected)
{
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct cpython python;
	const char *reason;

	if (access(path, R_OK) < 0) {
		print_message("%s is not there\n", path);
		return;
	}
	image = test_open_image(path);
	assert_int_equal(cpython_probe(image), CPYTHON_DEFINED);
	assert_int_equal(load(image, &python, &reason), -ENOTSUP);
	assert_string_equal(reason, expected);
}

static void test_unsupported(void **state)
{
	static const struct {
		const char *path, *reason; /* path from the home directory */
	} old[] = {
		{".pyenv/versions/2.7.18/lib/libpython2.7.so.1.0", "Python 2 is not supported: 3.8 or later is needed"},
		{".pyenv/versions/3.6.15/lib/libpython3.6m.so.1.0",
		 "Python 3.6 is not supported: 3.8 or later is needed"},
		{".pyenv/versions/3.7.16/lib/libpython3.7m.so.1.0",
		 "Python 3.7 is not supported: 3.8 or later is needed"},
	};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		snprintf(path, sizeof(path), "%s/%s", getenv("HOME"), old[i].path);
		check_refused(path, old[i].reason);
	}
	check_refused("/usr/lib/x86_64-linux-gnu/libpypy3.9-c.so", "PyPy is not supported");
}

static void test_probe(void **state)
{
	_cleanup_elf_image_ struct elf_image *own = test_open_image("/proc/self/exe");
	_cleanup_elf_image_ struct elf_image *bash = test_open_image("/bin/bash");
	const struct test_python *python = test_python_find("pyenv-");
	struct cpython ignored;
	const char *reason;

	assert_int_equal(cpython_probe(own), CPYTHON_ABSENT);
	assert_int_equal(load(own, &ignored, &reason), -ENOENT);
	assert_null(reason);
	assert_int_equal(cpython_probe(bash), CPYTHON_LOADABLE);
	if (python) {
		_cleanup_elf_image_ struct elf_image *image = test_open_image(python->command);

		assert_int_equal(cpython_probe(image), CPYTHON_LINKED);
		assert_int_equal(load(image, &ignored, &reason), -ENOENT);
	}
}

/* ---- contradictions ---- */

/** Open a copy of @p path in which the @p len bytes at @p name + @p offset are others. */
static struct elf_image *open_changed(const char *path, const char *name, uint64_t offset, const void *bytes,
				      size_t len)
{
	_cleanup_elf_image_ struct elf_image *original = test_open_image(path);
	_cleanup_close_ int fd = test_copy_file(path);

	test_poke(fd, original, vaddr_of(original, name) + offset, bytes, len);
	return open_fd(fd);
}

static void check_changed(const char *python, const char *name, uint64_t offset, uint64_t value, int error)
{
	const struct test_python *which = test_python_find(python);
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct cpython ignored;
	const char *reason;

	if (!which)
		return;
	image = open_changed(which->image, name, offset, &value, sizeof(value));
	assert_int_equal(load(image, &ignored, &reason), error);
	assert_non_null(reason);
}

static void test_contradictions(void **state)
{
	/* the exports, the debug offsets or the soname say otherwise */
	check_changed("pyenv-3.11", "Py_Version", 0, 0x030a0bf0, -EBADMSG);
	check_changed("pyenv-3.12", "Py_Version", 0, 0x030d00f0, -EBADMSG);
	check_changed("pyenv-3.13", "Py_Version", 0, 0x030d01f0, -EBADMSG);
	check_changed("debian-3.11", "Py_Version", 0, 0x030c00f0, -EBADMSG);
	check_changed("pyenv-3.13", "Py_Version", 0, 0x1030d00f0, -ENOTSUP);
	check_changed("pyenv-3.13", "Py_Version", 0, 0x031a00f0, -ENOTSUP);
	check_changed("pyenv-3.13", "_PyRuntime", 0, 0, -EBADMSG);
	check_changed("pyenv-3.13", "_PyRuntime", 8, 0x030d01f0, -EBADMSG);
	check_changed("pyenv-3.13", "_PyRuntime", 16, 2, -EBADMSG);
	check_changed("pyenv-3.13", "_PyRuntime", 280, UINT64_MAX, -EBADMSG);
	check_changed("pyenv-3.8", "PyCode_Type", 32, 192, -ENOTSUP);
	check_changed("sid-3.15", "PyUnicode_Type", 32, 80, -ENOTSUP);
}

static void test_without_version(void **state)
{
	const struct test_python *which = test_python_find("pyenv-3.8");
	_cleanup_elf_image_ struct elf_image *image = NULL;
	static const uint8_t nothing[64] = {0};
	struct cpython ignored;
	const char *reason;

	if (!which)
		skip();
	image = open_changed(which->image, "Py_GetVersion", 0, nothing, sizeof(nothing));
	assert_int_equal(load(image, &ignored, &reason), -ENOTSUP);
}

/* A build may lay things out otherwise, as long as it says so. */
static void test_debug_offsets_win(void **state)
{
	const struct test_python *which = test_python_find("pyenv-3.13");
	_cleanup_elf_image_ struct elf_image *image = NULL;
	struct cpython python;
	const uint64_t id = 7280;
	const char *reason;

	if (!which)
		skip();
	image = open_changed(which->image, "_PyRuntime", 56, &id, sizeof(id));
	assert_int_equal(load(image, &python, &reason), 0);
	assert_int_equal(python.layout.interp.id, 7280);
	assert_int_equal(layout_find(13)->interp.id, 7272);
}

/* Whatever the first 256 KiB hold: hash tables, symbols, names, relocations. */
static void test_random_damage(void **state)
{
	const struct test_python *which = test_python_find("pyenv-3.13");
	_cleanup_close_ int fd = -1;
	struct cpython python;
	const char *reason;
	unsigned int seed = 1;

	if (!which)
		skip();
	fd = test_copy_file(which->image);
	for (int i = 0; i < 300; i++) {
		_cleanup_elf_image_ struct elf_image *image = NULL;
		int r;

		for (int n = 0; n < 1 << (i % 12); n++) {
			uint8_t byte = (uint8_t)rand_r(&seed);

			assert_int_equal(pwrite(fd, &byte, 1, 64 + rand_r(&seed) % (256 << 10)), 1);
		}
		if (elf_image_new(fd, &image, &reason) < 0)
			continue;
		cpython_probe(image);
		r = load(image, &python, &reason);
		assert_true(r == 0 || r == -ENOENT || reason);
	}
}

/* ---- versions ---- */

static void test_versions(void **state)
{
	static const struct {
		const char *s;
		uint32_t hexversion;
		const char *canonical;
	} good[] = {
		{"3.8.18", 0x030812f0, "3.8.18"},	{"3.9.2+", 0x030902f0, "3.9.2"},
		{"3.14.0rc2", 0x030e00c2, "3.14.0rc2"}, {"3.15.0a5+", 0x030f00a5, "3.15.0a5"},
		{"3.12.0b1", 0x030c00b1, "3.12.0b1"},	{"2.7.18", 0x020712f0, "2.7.18"},
	};
	static const char *const bad[] = {"",	     "3",	"3.8",	   "3.8.",	"3.8.1.2", "3.08.1",  "3.8.1 ",
					  "3.8.256", "3.8.1rc", "3.8.1x1", "3.8.1rc99", "v3.8.1",  "1234.1.1"};
	char buf[CPYTHON_VERSION_SIZE];
	uint32_t hexversion;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(cpython_version_parse(good[i].s, &hexversion), 0);
		assert_int_equal(hexversion, good[i].hexversion);
		assert_string_equal(cpython_version_format(hexversion, buf), good[i].canonical);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cpython_version_parse(bad[i], &hexversion), -EBADMSG);
}

static void test_debug_offsets_header(void **state)
{
	uint64_t header[3] = {0, 0x030e00f0, 1};
	struct debug_offsets offsets;
	struct layout layout = *layout_find(14);

	memcpy(header, "xdebugpy", 8);
	assert_int_equal(debug_offsets_decode_header(header, sizeof(header), &offsets), 0);
	assert_int_equal(offsets.hexversion, 0x030e00f0);
	assert_true(offsets.free_threaded);
	assert_int_equal(debug_offsets_decode_header(header, 23, &offsets), -ENOENT);
	assert_int_equal(debug_offsets_apply(header, sizeof(header), &layout), -EBADMSG);
	assert_memory_equal(&layout, layout_find(14), sizeof(layout));
	layout = *layout_find(12);
	assert_int_equal(debug_offsets_apply(header, sizeof(header), &layout), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_interpreters),
		cmocka_unit_test(test_debug_offsets_confirm_rows),
		cmocka_unit_test(test_debug_build),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_without_version),
		cmocka_unit_test(test_debug_offsets_win),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_debug_offsets_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
