/*
 * Runs a harness on each file of the folders that the command line names, where no libFuzzer is: it must come to its end.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *data = NULL;
	long size = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size >= 0) {
		rewind(f);
		data = malloc((size_t)size + !size); /* exactly, so that reading beyond it is noticed */
	}
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		exit(99);
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		struct dirent *entry;

		if (!folder) {
			perror(argv[i]);
			return 99;
		}
		while ((entry = readdir(folder)))
			n += entry->d_name[0] != '.' ? replay(argv[i], entry->d_name) : 0;
		closedir(folder);
	}
	printf("%d inputs\n", n);
	return n ? 0 : 99;
}
