/* Line tables in each encoding. The input: the encoding, the size of the code, the first line, the table. */
#include "symbols/linetable.h"

#include <stdlib.h>

#include "fuzz.h"

static void on_line(void *arg, int32_t line)
{
	if (line <= 0)
		abort();
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum layout_linetable kinds[] = {LAYOUT_LINETABLE_LNOTAB, LAYOUT_LINETABLE_DELTAS,
						      LAYOUT_LINETABLE_LOCATIONS};
	struct fuzz_input in = {data, size};
	enum layout_linetable kind = kinds[fuzz_byte(&in) % ARRAY_SIZE(kinds)];
	uint32_t code_size = fuzz_word(&in), end = 0;
	int32_t first = (int32_t)fuzz_word(&in);
	struct linetable table;
	struct linetable_range range;
	size_t n = 0;

	linetable_init(&table, kind, in.data, in.size, first, code_size);
	while (linetable_next(&table, &range) > 0) {
		if (range.start >= range.end || range.start < end || range.line < LINETABLE_NO_LINE)
			abort();
		end = range.end;
		if (n++ > in.size + 1)
			abort(); /* each range takes some of the table */
	}
	n = 0;
	(void)!linetable_each_line(kind, in.data, in.size, first, on_line, &n);
	return 0;
}
