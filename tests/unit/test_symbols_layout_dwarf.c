/* symbols/layout.c against the debug information of every interpreter that has any. */
#include <glob.h>
#include <inttypes.h>

#include "test_symbols_pythons.h"

#include "symbols/cpython.h"
#include "symbols/debug_offsets.h"
#include "symbols/layout_dwarf.h"

/* What is in the table beyond the image: the root that it lies in. */
static void root_of(const struct test_python *python, char root[PATH_MAX])
{
	const char *at = strstr(python->image, "/usr/bin/");

	snprintf(root, PATH_MAX, "%.*s", at ? (int)(at - python->image) : 0, python->image);
}

static void complain(void *arg, const struct layout_check *check)
{
	const struct test_python *python = arg;

	if (check->found == LAYOUT_ABSENT)
		print_message("%s: %s is not in the debug information\n", python->name, check->name);
	else if (check->found != check->expected)
		print_error("%s: %s is at %d, not %d\n", python->name, check->name, check->found, check->expected);
}

static void check_python(const struct test_python *python, unsigned int *n_checked)
{
	_cleanup_close_ int fd = open(python->image, O_RDONLY | O_CLOEXEC), debug = -1;
	_cleanup_elf_image_ struct elf_image *image = test_open_image(python->image);
	char root[PATH_MAX], found[DEBUG_FILE_PATH_SIZE];
	struct layout_dwarf_result result;
	const char *reason = NULL;
	struct cpython py;

	assert_int_equal(cpython_load(image, &py, &reason), 0);
	root_of(python, root);
	debug = debug_file_open(fd, root, python->image + strlen(root), found);
	if (debug < 0) {
		print_message("left out, because it has no debug information: %s\n", python->name);
		return;
	}
	assert_int_equal(layout_dwarf_check(debug, &py.layout, complain, (void *)python, &result), 0);
	print_message("%s (%s): %u right, %u wrong, %u not found\n", python->name, found, result.right, result.wrong,
		      result.missing);
	assert_int_equal(result.wrong, 0);
	assert_true(result.right > 50);
	assert_true(result.missing <= 3);
	++*n_checked;
}

/* Its file, or the interpreter's where it is built in. */
static void asyncio_of(const struct test_python *python, const char *root, unsigned int minor, char path[PATH_MAX])
{
	const char *dir = *root ? "/usr/lib" : strstr(python->image, "/usr/bin/") ? "/usr/lib" : NULL;
	_cleanup_free_ char *pattern = NULL, *image = strdup(python->image);
	glob_t found;

	if (!dir)
		*strrchr(image, '/') = 0;
	assert_true(asprintf(&pattern, "%s/python3.%u/lib-dynload/_asyncio.*.so", dir ? dir : image, minor) > 0);
	if (dir) {
		char *below = pattern;

		assert_true(asprintf(&pattern, "%s%s", root, below) > 0);
		free(below);
	}
	if (glob(pattern, 0, NULL, &found) == 0)
		snprintf(path, PATH_MAX, "%s", found.gl_pathv[0]);
	else
		snprintf(path, PATH_MAX, "%s", python->image);
	globfree(&found);
}

/* What the module says of itself, from 3.14 on. */
static void apply_section(const char *path, struct layout *ret)
{
	_cleanup_elf_image_ struct elf_image *image = test_open_image(path);
	uint8_t bytes[DEBUG_OFFSETS_ASYNCIO_SIZE];
	struct layout layout;
	uint64_t vaddr, size;

	if (ret->task.node < 0) {
		assert_int_equal(elf_image_section(image, DEBUG_OFFSETS_ASYNCIO_SECTION, &vaddr, &size), -ENOENT);
		return;
	}
	assert_int_equal(elf_image_section(image, DEBUG_OFFSETS_ASYNCIO_SECTION, &vaddr, &size), 0);
	assert_true(size >= sizeof(bytes));
	assert_int_equal(elf_image_read(image, vaddr, bytes, sizeof(bytes)), 0);
	ret->task.name = ret->task.coro = ret->task.node = 0;
	assert_int_equal(debug_offsets_apply_asyncio(bytes, sizeof(bytes), ret), 0);
	layout = *ret;
	memset(bytes + 8, 0xff, 8);
	assert_int_equal(debug_offsets_apply_asyncio(bytes, sizeof(bytes), &layout), -EBADMSG);
	assert_memory_equal(&layout, ret, sizeof(layout));
	assert_int_equal(debug_offsets_apply_asyncio(bytes, sizeof(bytes) - 1, &layout), -EBADMSG);
	assert_int_equal(debug_offsets_apply_asyncio(bytes, sizeof(bytes), &(struct layout){.task.node = -1}),
			 -ENOTSUP);
}

static void count_tasks(void *arg, const struct layout_check *check)
{
	if (!strncmp(check->name, "task.", 5) && check->found != LAYOUT_ABSENT)
		++*(unsigned int *)arg;
	if (check->found != LAYOUT_ABSENT && check->found != check->expected)
		print_error("%s is at %d, not %d\n", check->name, check->found, check->expected);
}

static void test_asyncio(void **state)
{
	struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);
	unsigned int checked = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char root[PATH_MAX], path[PATH_MAX], found[DEBUG_FILE_PATH_SIZE];
		_cleanup_elf_image_ struct elf_image *image = test_open_image(pythons[i].image);
		_cleanup_close_ int fd = -1, debug = -1;
		struct layout_dwarf_result result;
		const char *reason = NULL;
		unsigned int tasks = 0;
		struct cpython py;

		assert_int_equal(cpython_load(image, &py, &reason), 0);
		root_of(&pythons[i], root);
		asyncio_of(&pythons[i], root, py.minor, path);
		apply_section(path, &py.layout);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		debug = debug_file_open(fd, root, path + strlen(root), found);
		if (debug < 0)
			continue;
		assert_int_equal(layout_dwarf_check(debug, &py.layout, count_tasks, &tasks, &result), 0);
		print_message("%s: %u of tasks\n", pythons[i].name, tasks);
		assert_int_equal(result.wrong, 0);
		checked += tasks >= 4;
	}
	assert_true(checked > 0);
}

static void test_all(void **state)
{
	struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);
	unsigned int checked = 0;

	(void)state;
	for (size_t i = 0; i < n; i++)
		check_python(&pythons[i], &checked);
	assert_true(checked > 0);
}

/* A row of another version is not taken for right. */
static void test_wrong_row(void **state)
{
	const struct test_python *python = test_python_find("debian-3.11");
	_cleanup_close_ int fd = -1, debug = -1;
	char found[DEBUG_FILE_PATH_SIZE];
	struct layout_dwarf_result result;

	(void)state;
	if (!python)
		skip();
	fd = open(python->image, O_RDONLY | O_CLOEXEC);
	debug = debug_file_open(fd, "", python->image, found);
	if (debug < 0)
		skip();
	assert_int_equal(layout_dwarf_check(debug, layout_find(12), NULL, NULL, &result), 0);
	assert_true(result.wrong > 10);
}

/* Not an ELF file, one without debug information, and none at all. */
static void test_nothing(void **state)
{
	_cleanup_close_ int text = memfd_create("text", MFD_CLOEXEC), self = open("/bin/true", O_RDONLY | O_CLOEXEC);
	char found[DEBUG_FILE_PATH_SIZE];
	struct layout_dwarf_result result;

	(void)state;
	assert_int_equal(write(text, "not ELF", 7), 7);
	assert_int_equal(debug_file_open(text, "", "/text", found), -ENOENT);
	assert_int_equal(layout_dwarf_check(text, layout_find(11), NULL, NULL, &result), -ENOENT);
	assert_int_equal(layout_dwarf_check(self, layout_find(11), NULL, NULL, &result), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_asyncio),
		cmocka_unit_test(test_wrong_row),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
