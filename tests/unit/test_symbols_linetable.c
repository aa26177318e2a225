#include "symbols/linetable.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "test_symbols_pythons.h"

#define DUMP "test_symbols_linetable_dump.py" /* beside this file */

#define LNOTAB LAYOUT_LINETABLE_LNOTAB
#define DELTAS LAYOUT_LINETABLE_DELTAS
#define LOCATIONS LAYOUT_LINETABLE_LOCATIONS
#define NONE LINETABLE_NO_LINE

/** One table by hand: the ranges expected, the last one empty; and the result behind them. */
struct sample {
	enum layout_linetable kind;
	const char *bytes;
	size_t len;
	uint32_t code_size;
	struct linetable_range ranges[4];
	int end;
};

#define BYTES(s) s, sizeof(s) - 1

static const struct sample samples[] = {
	/* an empty lnotab is one line; the rest of the code needs no entry */
	{LNOTAB, BYTES(""), 8, {{0, 8, 10}}, 0},
	{LNOTAB, BYTES("\x04\x01"), 8, {{0, 4, 10}, {4, 8, 11}}, 0},
	{LNOTAB, BYTES("\x04\xff\x02\x7f\x00\x7f"), 8, {{0, 4, 10}, {4, 6, 9}, {6, 8, 263}}, 0},
	/* entries behind the end of the code */
	{LNOTAB, BYTES("\x04\x01\x08\x01\x08\x01"), 8, {{0, 4, 10}, {4, 8, 11}}, 0},
	{LNOTAB, BYTES("\x04\x01\x08"), 20, {{0, 4, 10}}, -EBADMSG},
	{LNOTAB, BYTES("\x04\x80"), 8, {{0, 4, 10}, {4, 8, NONE}}, 0},
	{LNOTAB, BYTES(""), 0, {{0}}, 0},

	{DELTAS, BYTES(""), 8, {{0}}, 0},
	{DELTAS, BYTES("\x04\x01\x04\x80\x02\x01"), 10, {{0, 4, 11}, {4, 8, NONE}, {8, 10, 12}}, 0},
	{DELTAS, BYTES("\x00\x7f\x04\x7f"), 4, {{0, 4, 264}}, 0},
	{DELTAS, BYTES("\x04\x01\x00\x05"), 4, {{0, 4, 11}}, 0},
	{DELTAS, BYTES("\x04\x01\x06\x01"), 8, {{0, 4, 11}}, -EBADMSG},
	{DELTAS, BYTES("\x04\x01\x04"), 8, {{0, 4, 11}}, -EBADMSG},

	{LOCATIONS, BYTES(""), 8, {{0}}, 0},
	{LOCATIONS, BYTES("\x80\x00\xf9\xd2\x01\x02"), 8, {{0, 2, 10}, {2, 6, NONE}, {6, 12, 10}}, -EBADMSG},
	{LOCATIONS, BYTES("\x80\x00\xf9\xd8\x01\x02"), 8, {{0, 2, 10}, {2, 6, NONE}, {6, 8, 11}}, 0},
	/* signed varints: +1, -1; 6 bits each, low ones first */
	{LOCATIONS, BYTES("\xe8\x02\xe8\x03"), 8, {{0, 2, 11}, {2, 4, 10}}, 0},
	{LOCATIONS, BYTES("\xe8\x40\x01"), 8, {{0, 2, 42}}, 0},
	{LOCATIONS, BYTES("\xf0\x02\x00\x41\x01\x01"), 8, {{0, 2, 11}}, 0},
	{LOCATIONS, BYTES("\xf0\x02\x00\x41"), 8, {{0}}, -EBADMSG},
	{LOCATIONS, BYTES("\x80"), 8, {{0}}, -EBADMSG},
	{LOCATIONS, BYTES("\x80\x80"), 8, {{0}}, -EBADMSG},
	{LOCATIONS, BYTES("\x00"), 8, {{0}}, -EBADMSG},
	{LOCATIONS, BYTES("\x80\x00\x00"), 8, {{0, 2, 10}}, -EBADMSG},
	{LOCATIONS, BYTES("\xe8\x40\x40\x40\x40\x40\x40\x01"), 8, {{0}}, -EBADMSG},
	{LOCATIONS, BYTES("\xe8\x7e\x7f\x7f\x7f\x7f\x3f"), 8, {{0}}, -EBADMSG},
	{(enum layout_linetable)77, BYTES("\x80\x00"), 8, {{0}}, -EBADMSG},
};

static void check_sample(const struct sample *sample)
{
	struct linetable_range range;
	struct linetable table;

	linetable_init(&table, sample->kind, sample->bytes, sample->len, 10, sample->code_size);
	for (const struct linetable_range *want = sample->ranges; want->end; want++) {
		if (sample->end < 0 && want->end > sample->code_size)
			break;
		assert_int_equal(linetable_next(&table, &range), 1);
		assert_int_equal(range.start, want->start);
		assert_int_equal(range.end, want->end);
		assert_int_equal(range.line, want->line);
	}
	assert_int_equal(linetable_next(&table, &range), sample->end);
	assert_int_equal(linetable_next(&table, &range), sample->end);
}

static void test_samples(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check_sample(&samples[i]);
}

/* Every table of up to three bytes comes to an end, and its ranges follow each other. */
static void test_all_short_tables(void **state)
{
	for (uint32_t n = 0; n < 3u << 24; n += 7) {
		enum layout_linetable kind = (enum layout_linetable)(n >> 24);
		uint8_t bytes[3] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)};
		struct linetable_range range;
		struct linetable table;
		uint32_t end = 0;
		int r, steps = 0;

		linetable_init(&table, kind, bytes, sizeof(bytes), 1, 300);
		while ((r = linetable_next(&table, &range)) > 0) {
			if (range.start != end || range.end <= end || range.end > 300)
				fail_msg("table %x", n);
			end = range.end;
			assert_true(++steps <= 3);
		}
	}
}

/* ---- against the interpreters ---- */

struct text {
	char *s;
	size_t len;
};

static void put(FILE *out, const struct linetable_range *range)
{
	fprintf(out, range->line == NONE ? "%u:%u:-," : "%u:%u:%d,", range->start, range->end, range->line);
}

/** The ranges as the interpreters print them: neighbours of one line are one. */
static int format_ranges(struct linetable *table, FILE *out)
{
	struct linetable_range whole = {0}, range;
	int r;

	while ((r = linetable_next(table, &range)) > 0) {
		if (whole.end && whole.line == range.line) {
			whole.end = range.end;
			continue;
		}
		if (whole.end)
			put(out, &whole);
		whole = range;
	}
	if (whole.end)
		put(out, &whole);
	return r;
}

struct line_set {
	int32_t max;
	uint8_t seen[1 << 17];
};

static void note_line(void *arg, int32_t line)
{
	struct line_set *set = arg;

	assert_in_range(line, 1, sizeof(set->seen) - 1);
	set->seen[line] = 1;
	set->max = line > set->max ? line : set->max;
}

static void format_lines(struct line_set *set, FILE *out)
{
	for (int32_t line = 1; line <= set->max; line++) {
		if (set->seen[line])
			fprintf(out, "%d,", line);
		set->seen[line] = 0;
	}
	set->max = 0;
}

static size_t decode_hex(char *s)
{
	size_t len = strcmp(s, "-") == 0 ? 0 : strlen(s) / 2;
	unsigned int byte;

	for (size_t i = 0; i < len; i++) {
		assert_int_equal(sscanf(s + 2 * i, "%2x", &byte), 1);
		s[i] = (char)byte;
	}
	return len;
}

/** Compare @p text, a list that ends in a comma, with @p field, one that does not. */
static void assert_same_list(const char *text, const char *field)
{
	size_t len = strlen(text);

	if (strcmp(field, "-") == 0)
		field = "";
	assert_int_equal(len ? len - 1 : 0, strlen(field));
	assert_memory_equal(text, field, strlen(field));
}

static void check_code(enum layout_linetable kind, char *dump)
{
	static struct line_set set;
	struct text ranges = {0}, lines = {0};
	char *field[5];
	struct linetable table;
	int32_t first_line;
	size_t len;
	FILE *out;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&dump, " \n");
		assert_non_null(field[i]);
	}
	first_line = atoi(field[0]);
	len = decode_hex(field[2]);
	linetable_init(&table, kind, field[2], len, first_line, (uint32_t)atoi(field[1]));
	out = open_memstream(&ranges.s, &ranges.len);
	assert_int_equal(format_ranges(&table, out), 0);
	fclose(out);
	assert_same_list(ranges.s, field[3]);

	out = open_memstream(&lines.s, &lines.len);
	assert_int_equal(linetable_each_line(kind, field[2], len, first_line, note_line, &set), 0);
	format_lines(&set, out);
	fclose(out);
	assert_same_list(lines.s, field[4]);
	free(ranges.s);
	free(lines.s);
}

static void check_interpreter(const struct test_python *python)
{
	const struct layout *layout = layout_find(python->minor);
	_cleanup_free_ char *command = NULL, *line = NULL;
	unsigned int n = 0;
	size_t size = 0;
	FILE *dump;

	assert_non_null(layout);
	assert_true(asprintf(&command, "'%s' -W ignore '%.*s%s'", python->command,
			     (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__, DUMP) > 0);
	dump = popen(command, "re");
	assert_non_null(dump);
	while (getline(&line, &size, dump) > 0) {
		check_code(layout->linetable, line);
		n++;
	}
	assert_int_equal(pclose(dump), 0);
	print_message("%s: %u code objects\n", python->name, n);
	assert_in_range(n, 1000, 100000);
}

static void test_real_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++)
		check_interpreter(&pythons[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_all_short_tables),
		cmocka_unit_test(test_real_interpreters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
