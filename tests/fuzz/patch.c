/* Unified diffs. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "report/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	struct patch patch;
	unsigned long line;

	if (!in)
		return 0;
	if (patch_read(in, &patch, &line) == 0)
		for (size_t i = 0; i < patch.n; i++)
			if ((i && strcmp(patch.files[i - 1].path, patch.files[i].path) >= 0) ||
			    patch.files[i].added.count > size)
				abort();
	patch_deinit(&patch);
	fclose(in);
	return 0;
}
