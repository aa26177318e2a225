/** What the harnesses share: an input that is taken apart from its beginning. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/** 0 at the end. */
static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	return in->size ? in->size--, *in->data++ : 0;
}

static inline uint32_t fuzz_word(struct fuzz_input *in)
{
	uint32_t ret = 0;

	for (int i = 0; i < 4; i++)
		ret |= (uint32_t)fuzz_byte(in) << 8 * i;
	return ret;
}
