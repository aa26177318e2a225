/*
 * Tasks and dictionaries in a memory that lies. The input: a memory_image.h with types; seeds are those that the unit test
 * of pyasync records.
 */
#include "fuzz.h"
#include "task_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory_image image = {.is_typed = true};
	static struct task_walk walk;

	image.bytes = (uint8_t *)data;
	image.size = size;
	image_parse(&image);
	image_tasks(&image, (struct mem_reader){image_read, &image}, &walk);
	return 0;
}
