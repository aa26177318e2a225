#include "symbols/dispatch.h"

#include <errno.h>
#include <stdint.h>

#include "symbols/cpython.h"
#include "symbols/elf_image.h"
#include "symbols/elf_symbol.h"
#include "symbols/opcodes.h"
#include "test_symbols_pythons.h"

static struct cpython load(const struct elf_image *image)
{
	struct cpython python;
	const char *reason;

	assert_int_equal(cpython_load(image, &python, &reason), 0);
	return python;
}

/* The table's own symbol, which only unstripped builds have; GCC numbers it. */
static uint64_t table_symbol(const struct elf_image *image)
{
	struct elf_symbol symbol;
	char name[32];

	for (unsigned int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "opcode_targets.%u", i);
		if (elf_symbol_find_full(image, name, &symbol) == 0)
			return symbol.vaddr;
	}
	return 0;
}

static void check_targets(const struct elf_image *image, const struct opcodes *opcodes, const struct dispatch *dispatch)
{
	for (unsigned int op = 0; op < 256; op++) {
		assert_non_null(elf_image_code_segment(image, dispatch->targets[op]));
		assert_int_equal(dispatch->targets[op] != dispatch->unknown, opcodes_is_used(opcodes, (uint8_t)op));
	}
}

static void check_switch(const struct elf_image *image, const struct opcodes *opcodes, const struct dispatch *dispatch)
{
	const uint8_t *head = elf_image_at(image, dispatch->switch_head, 7);
	unsigned int extended = dispatch->switch_register / 8;

	assert_non_null(head);
	assert_in_range(dispatch->switch_register, 0, 15);
	assert_int_equal(*head, extended ? 0x41 : 0x81);
	assert_int_equal(head[extended + 1], 0xf8 | (dispatch->switch_register & 7));
	assert_int_equal(head[extended + 2], opcodes->switch_max);
	assert_true(dispatch_label_before(dispatch, dispatch->switch_head) >= dispatch->function);
}

static void check_interpreter(const struct test_python *which)
{
	_cleanup_elf_image_ struct elf_image *image = test_open_image(which->image);
	struct cpython python = load(image);
	const struct opcodes *opcodes = opcodes_find(&python.layout);
	uint64_t table = table_symbol(image);
	struct dispatch dispatch;
	const char *reason = NULL;
	int r = dispatch_find(image, &python, &dispatch, &reason);

	if (python.layout.traps == LAYOUT_TRAPS_NONE) {
		assert_null(opcodes);
		assert_int_equal(r, -EINVAL);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", which->name, reason);
	assert_int_equal(dispatch.function, dispatch_label_before(&dispatch, dispatch.function));
	if (table)
		assert_int_equal(dispatch.table, table);
	check_targets(image, opcodes, &dispatch);
	if (python.layout.traps == LAYOUT_TRAPS_DETOUR)
		check_switch(image, opcodes, &dispatch);
	else
		assert_int_equal(dispatch.switch_head, 0);
}

static void test_all_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++)
		check_interpreter(&pythons[i]);
}

/* ---- builds that differ ---- */

/** What dispatch_find() says of a copy of @p which with @p len other bytes at @p vaddr. */
static const char *refusal(const struct test_python *which, uint64_t vaddr, const void *bytes, size_t len)
{
	_cleanup_elf_image_ struct elf_image *original = test_open_image(which->image);
	_cleanup_elf_image_ struct elf_image *image = NULL;
	_cleanup_close_ int fd = test_copy_file(which->image);
	struct cpython python = load(original);
	struct dispatch dispatch;
	const char *reason = NULL;

	test_poke(fd, original, vaddr, bytes, len);
	assert_int_equal(elf_image_new(fd, &image, &reason), 0);
	assert_int_equal(dispatch_find(image, &python, &dispatch, &reason), -ENOTSUP);
	assert_non_null(reason);
	return reason;
}

static int find_dispatch(const struct test_python *which, struct dispatch *ret)
{
	_cleanup_elf_image_ struct elf_image *image = test_open_image(which->image);
	struct cpython python = load(image);
	const char *reason;

	return dispatch_find(image, &python, ret, &reason);
}

static void test_no_computed_gotos(void **state)
{
	const struct test_python *which = test_python_find("debian-3.11");
	const uint64_t nothing[4] = {0};
	struct dispatch dispatch;

	if (!which)
		skip();
	assert_int_equal(find_dispatch(which, &dispatch), 0);
	assert_string_equal(refusal(which, dispatch.table, nothing, sizeof(nothing)),
			    "the interpreter loop of this Python has no computed gotos");
}

static void test_two_tables(void **state)
{
	const struct test_python *which = test_python_find("debian-3.11");
	struct dispatch dispatch;

	if (!which)
		skip();
	assert_int_equal(find_dispatch(which, &dispatch), 0);
	assert_string_equal(refusal(which, dispatch.table + sizeof(dispatch.targets), dispatch.targets,
				    sizeof(dispatch.targets)),
			    "this Python has several interpreter loops");
}

static void test_other_switch(void **state)
{
	static const char expected[] = "the interpreter loop of this Python has no switch of a known form";
	const struct test_python *which = test_python_find("pyenv-3.8");
	const uint8_t max = 0xa4, ja[] = {0x0f, 0x87};
	uint8_t second[12] = {0x81, 0xf9, 0xa3, 0, 0, 0, 0x0f, 0x87};
	struct dispatch dispatch;
	uint32_t distance;

	if (!which)
		skip();
	assert_int_equal(find_dispatch(which, &dispatch), 0);
	assert_string_equal(refusal(which, dispatch.switch_head + 2, &max, 1), expected);
	assert_string_equal(refusal(which, dispatch.switch_head + 7, ja, 2), expected);
	/* a second one, somewhere else in the code */
	distance = (uint32_t)(dispatch.unknown - (dispatch.targets[9] + sizeof(second)));
	memcpy(second + 8, &distance, sizeof(distance));
	assert_string_equal(refusal(which, dispatch.targets[9], second, sizeof(second)), expected);
}

/* ---- opcodes ---- */

static void check_opcodes_line(const struct opcodes *opcodes, char *line)
{
	bool named[256] = {0};
	char name[64];
	int op, caches, n;

	while (sscanf(line, "%63[^=]=%d,%d %n", name, &op, &caches, &n) == 3) {
		line += n;
		named[op] = true;
		assert_true(opcodes_is_used(opcodes, (uint8_t)op));
		assert_int_equal(opcodes_base(opcodes, (uint8_t)op), op);
		assert_int_equal(opcodes_cache_units(opcodes, (uint8_t)op), caches);
		if (strcmp(name, "NOP") == 0)
			assert_int_equal(op, opcodes->nop);
		if (strcmp(name, "EXTENDED_ARG") == 0)
			assert_int_equal(op, opcodes->extended_arg);
		if (strcmp(name, "RESUME") == 0)
			assert_int_equal(op, opcodes->resume);
		if (strcmp(name, "YIELD_FROM") == 0 || strcmp(name, "SEND") == 0 || strcmp(name, "RESUME") == 0 ||
		    strcmp(name, "GEN_START") == 0)
			assert_false(opcodes_is_plantable(opcodes, (uint8_t)op));
	}
	assert_true(named[opcodes->nop] && named[opcodes->extended_arg]);
	/* what has no name is unused, or a specialized form, or internal */
	for (op = 0; op < 256; op++)
		assert_true(named[op] || !opcodes_is_used(opcodes, (uint8_t)op) ||
			    opcodes_base(opcodes, (uint8_t)op) != op || op == 255);
}

static void check_opcodes(const struct test_python *which)
{
	static const char script[] =
		"import opcode; caches = getattr(opcode, '_inline_cache_entries', [0] * 256);"
		"print(' '.join('%s=%d,%d' % (n, i, caches[i]) for n, i in opcode.opmap.items()))";
	const struct opcodes *opcodes = opcodes_find(layout_find(which->minor));
	_cleanup_free_ char *command = NULL, *line = NULL;
	size_t size = 0;
	FILE *output;

	if (!opcodes)
		return;
	assert_true(asprintf(&command, "'%s' -c \"%s\"", which->command, script) > 0);
	output = popen(command, "re");
	assert_true(output && getline(&line, &size, output) > 0);
	assert_int_equal(pclose(output), 0);
	check_opcodes_line(opcodes, line);
}

static void test_opcodes_of_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++)
		check_opcodes(&pythons[i]);
}

static void test_trap_opcodes(void **state)
{
	const struct layout *row = NULL;

	while ((row = layout_next(row))) {
		const struct opcodes *opcodes = opcodes_find(row);

		assert_int_equal(!opcodes, row->traps == LAYOUT_TRAPS_NONE);
		if (!opcodes)
			continue;
		for (int i = 0; i < 2; i++) {
			uint8_t op = i ? opcodes->spare : opcodes->trap;

			assert_int_equal(opcodes_is_used(opcodes, op), row->traps == LAYOUT_TRAPS_REPOINT);
			assert_int_equal(opcodes_base(opcodes, op), op);
			assert_int_equal(opcodes_quickened(opcodes, op), op);
			assert_int_equal(opcodes_cache_units(opcodes, op), 0);
		}
		assert_false(opcodes_is_plantable(opcodes, opcodes->trap));
	}
}

static void test_forms(void **state)
{
	const struct opcodes *opcodes = opcodes_find(layout_find(11));

	for (unsigned int op = 0; op < 256; op++) {
		uint8_t quickened = opcodes_quickened(opcodes, (uint8_t)op);

		/* what quickening makes of it has it as its base */
		if (quickened != op)
			assert_int_equal(opcodes_base(opcodes, quickened), op);
		assert_int_equal(opcodes_base(opcodes, opcodes_base(opcodes, (uint8_t)op)),
				 opcodes_base(opcodes, (uint8_t)op));
	}
	assert_int_equal(opcodes_quickened(opcodes, 140), 38);	/* JUMP_BACKWARD_QUICK */
	assert_int_equal(opcodes_cache_units(opcodes, 59), 10); /* LOAD_METHOD_NO_DICT */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_interpreters),
		cmocka_unit_test(test_no_computed_gotos),
		cmocka_unit_test(test_two_tables),
		cmocka_unit_test(test_other_switch),
		cmocka_unit_test(test_opcodes_of_interpreters),
		cmocka_unit_test(test_trap_opcodes),
		cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
