/* The stacks in a memory that lies. The input: a memory_image.h; seeds are those that the unit test of pystack records. */
#include "fuzz.h"
#include "memory_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory_image image;

	image.bytes = (uint8_t *)data;
	image.size = size;
	image_parse(&image);
	image_walk(&image, (struct mem_reader){image_read, &image});
	return 0;
}
