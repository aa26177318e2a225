#include "symbols/layout.h"

#include <stddef.h>
#include <stdint.h>

#include "symbols/cpython.h"
#include "test_symbols_pythons.h"

#define SCRIPT "test_symbols_layout_check.py" /* beside this file */

#define FIELD(member)                                                                                                  \
	{                                                                                                              \
#member, offsetof(struct layout, member)                                                               \
	}

/* What the script has a check for. */
static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(code.co_filename),
	FIELD(code.co_name),
	FIELD(code.co_qualname),
	FIELD(code.co_consts),
	FIELD(code.co_names),
	FIELD(code.co_linetable),
	FIELD(code.co_exceptiontable),
	FIELD(code.co_firstlineno),
	FIELD(code.co_argcount),
	FIELD(code.co_stacksize),
	FIELD(code.co_flags),
	FIELD(code.co_code),
	FIELD(code.co_code_adaptive),
	FIELD(function.size),
	FIELD(function.func_code),
	FIELD(function.func_closure),
	FIELD(function.func_globals),
	FIELD(function.func_name),
	FIELD(function.func_qualname),
	FIELD(function.func_module),
	FIELD(unicode.length),
	FIELD(unicode.hash),
	FIELD(unicode.ascii_size),
	FIELD(unicode.compact_size),
	FIELD(object.ob_type),
	FIELD(object.ob_size),
	FIELD(bytes.ob_sval),
	FIELD(tuple.ob_item),
	FIELD(list.ob_item),
	FIELD(long_.ob_digit),
	FIELD(dict.ma_keys),
	FIELD(dict.ma_used),
	FIELD(keys.dk_nentries),
	FIELD(module.md_dict),
	FIELD(module.md_name),
	FIELD(type.tp_name),
	FIELD(type.tp_basicsize),
	FIELD(type.tp_itemsize),
	FIELD(type.tp_flags),
	FIELD(type.tp_mro),
	FIELD(gen.gi_name),
	FIELD(gen.gi_qualname),
	FIELD(gen.gi_code),
	FIELD(gen.gi_frame),
	FIELD(gen.gi_iframe),
	FIELD(frame.f_code),
	FIELD(frame.f_frame),
	FIELD(frame.f_lineno),
	FIELD(iframe.executable),
	FIELD(iframe.globals),
	FIELD(iframe.frame_obj),
	FIELD(iframe.owner),
};

static char *make_command(const struct test_python *python, const struct layout *layout)
{
	char *command = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&command, &size);

	fprintf(out, "'%s' -W ignore '%.*s%s'", python->command, (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__,
		SCRIPT);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		int32_t offset = *(const int32_t *)((const char *)layout + fields[i].offset);

		if (offset != LAYOUT_ABSENT)
			fprintf(out, " %s=%d", fields[i].name, offset);
	}
	fclose(out);
	return command;
}

static void check_interpreter(const struct test_python *python)
{
	_cleanup_free_ char *command = make_command(python, layout_find(python->minor));
	_cleanup_free_ char *line = NULL;
	FILE *output = popen(command, "re");
	bool is_right = true;
	int checked = 0;
	size_t size = 0;

	assert_non_null(output);
	while (getline(&line, &size, output) > 0) {
		if (sscanf(line, "checked %d", &checked) == 1)
			continue;
		print_message("%s: %s", python->name, line);
		is_right = false;
	}
	assert_int_equal(pclose(output), 0);
	assert_true(is_right);
	assert_in_range(checked, 35, ARRAY_SIZE(fields));
}

static void test_real_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++)
		check_interpreter(&pythons[i]);
}

static void test_rows(void **state)
{
	const struct layout *row = NULL;
	unsigned int minor = 8;

	for (; (row = layout_next(row)); minor++) {
		assert_int_equal(row->minor, minor);
		assert_ptr_equal(layout_find(minor), row);
		assert_non_null(row->first_symbol);
		assert_true(row->has_monitoring == (row->traps == LAYOUT_TRAPS_NONE));
		assert_true(row->code_is_inline == (row->code.co_code == LAYOUT_ABSENT));
		assert_true(row->code_is_inline != (row->code.co_code_adaptive == LAYOUT_ABSENT));
		assert_true(row->frames != LAYOUT_FRAMES_CFRAME || row->tstate.cframe != LAYOUT_ABSENT);
		assert_true(row->frames != LAYOUT_FRAMES_CURRENT || row->tstate.current_frame != LAYOUT_ABSENT);
		assert_true((row->runtime.gil == LAYOUT_ABSENT) == row->gil_is_pointer);
		assert_true(row->runtime.gc != LAYOUT_ABSENT || row->interp.gc != LAYOUT_ABSENT);
	}
	assert_int_equal(minor, 16);
	assert_null(layout_find(7));
	assert_null(layout_find(16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_real_interpreters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
