/* A program or library: its headers, and all that is looked up in it. The input is the file. */
#include "symbols/elf_image.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "symbols/cpython.h"
#include "symbols/dispatch.h"
#include "symbols/elf_symbol.h"

static void look_around(const struct elf_image *image)
{
	static const char *const names[] = {"PyEval_EvalCode", "Py_Version", "_PyRuntime", "f"};
	uint64_t start, end, bias, pointers[8], vaddrs[ARRAY_SIZE(names)];
	const char *reason = NULL, *name;
	struct cpython py;
	unsigned char buf[64];

	elf_image_soname(image);
	for (size_t i = 0; (name = elf_image_needed(image, i)); i++)
		if (i > 1000000)
			abort();
	elf_image_needs(image, "libpython");
	elf_image_extent(image, &start, &end);
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *s = &image->segments[i];

		(void)!elf_image_bias(image, s->offset & ~0xfffull, 0x7f0000000000, s->flags & 1, &bias);
		(void)!elf_image_read(image, s->vaddr, buf, sizeof(buf));
		(void)!elf_image_read_pointers(image, s->vaddr, pointers, ARRAY_SIZE(pointers));
		elf_image_string(image, s->vaddr, 100);
	}
	cpython_probe(image);
	cpython_resolve(image, names, ARRAY_SIZE(names), vaddrs);
	if (cpython_load(image, &py, &reason) < 0)
		return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct elf_image *image = NULL;
	const char *reason = NULL;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (elf_image_new(fd, &image, &reason) == 0)
		look_around(image);
	elf_image_free(image);
	close(fd);
	return 0;
}
