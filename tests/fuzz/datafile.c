/* A data file that is read. The input is the file. */
#include "data/datafile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

static char path[64];

static void remove_file(void)
{
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

static void begin(void)
{
	strcpy(path, "/dev/shm/fuzz-XXXXXX");
	if (!mkdtemp(path))
		abort();
	strcat(path, "/data");
	atexit(remove_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int (*const readers[])(struct datafile *, struct record *) = {datafile_read, datafile_read_arcs};
	int fd;

	if (!*path)
		begin();
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		_cleanup_datafile_ struct datafile file = {.dirfd = -1};
		_cleanup_record_ struct record rec;

		record_init(&rec);
		if (datafile_init(&file, path) < 0)
			abort();
		(void)!readers[i](&file, &rec);
	}
	return 0;
}
