/*
 * Arcs from bytecode. The input: which version, the first line, the length of the line table, which of 64 lines ran, the
 * table, and the bytecode with its ways behind it.
 */
#include "symbols/branches.h"

#include <stdlib.h>

#include "fuzz.h"

struct seen {
	struct lineset *ran;
	int32_t first_line;
};

static int on_arc(void *arg, int32_t from, int32_t to)
{
	struct seen *s = arg;

	if (from <= 0 || to == 0 || (to < 0 && to != -s->first_line))
		abort();
	if (from == to)
		return lineset_add(s->ran, (uint32_t)from);
	if (!lineset_test(s->ran, (uint32_t)from) || (to > 0 && !lineset_test(s->ran, (uint32_t)to)))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t minor = (uint8_t)(8 + fuzz_byte(&in) % 8);
	uint32_t first = fuzz_word(&in), table_len = fuzz_word(&in), bits[2] = {fuzz_word(&in), fuzz_word(&in)};
	struct branches_code code = {.minor = minor,
				     .linetable_kind = minor < 10    ? LAYOUT_LINETABLE_LNOTAB
						       : minor == 10 ? LAYOUT_LINETABLE_DELTAS
								     : LAYOUT_LINETABLE_LOCATIONS,
				     .first_line = (int32_t)first};
	struct lineset ran;
	struct seen seen = {&ran, (int32_t)first};

	lineset_init(&ran);
	(void)!lineset_or_bits(&ran, 0, bits, sizeof(bits));
	code.table = in.data;
	code.table_len = table_len % (in.size + 1);
	code.bytecode = in.data + code.table_len;
	code.size = (in.size - code.table_len) / 9 * 8; /* a byte of ways for four units of two */
	code.ways = code.bytecode + code.size;
	(void)!branches_resolve(&code, &ran, on_arc, &seen);
	lineset_deinit(&ran);
	return 0;
}
