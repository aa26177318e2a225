#include "supervisor/take_gil.h"

#include "symbols/elf_symbol.h"
#include "test_symbols_pythons.h"

static bool has_symbol_at(const struct elf_image *elf, const char *name, uint64_t vaddr)
{
	struct elf_symbol symbol;

	return elf_symbol_find_full(elf, name, &symbol) == 0 && symbol.vaddr == vaddr;
}

static void check_interpreter(const struct test_python *which)
{
	_cleanup_close_ int fd = open(which->image, O_RDONLY | O_CLOEXEC);
	const struct image *image;
	struct images images;
	uint64_t found, called;

	images_init(&images);
	assert_int_equal(images_get(&images, fd, &image), 0);
	found = take_gil_find(image);
	if (image->py.layout.takes_gil_first || image->py.layout.current_is_own) {
		called = take_gil_find_called(image);
		assert_true(found && called);
		if (elf_symbol_find_full(image->elf, "take_gil", NULL) == 0) {
			assert_true(has_symbol_at(image->elf, "take_gil", found));
			assert_true(called == found || has_symbol_at(image->elf, "_PyThreadState_Attach", called));
		}
	} else {
		assert_int_equal(found, 0);
	}
	images_deinit(&images);
}

static void test_all_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	(void)state;
	for (size_t i = 0; i < n; i++)
		check_interpreter(&pythons[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_interpreters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
