#include "symbols/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Large enough that a hash lookup costs few reads, small enough that it costs few page faults. */
#define BLOCK_SIZE ((uint64_t)8192)
#define FILE_SIZE_MAX ((uint64_t)16 << 30)

enum block_state { BLOCK_UNREAD, BLOCK_READ, BLOCK_FAILED };

struct elf_file {
	int fd;
	uint64_t size;
	uint8_t *bytes;	 /* size bytes, reserved and zero until read */
	uint8_t *blocks; /* enum block_state of each BLOCK_SIZE bytes */
};

static uint64_t block_count(const struct elf_file *file)
{
	return (file->size + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

void elf_file_free(struct elf_file *file)
{
	if (!file)
		return;
	cleanup_closep(&file->fd);
	if (file->bytes)
		munmap(file->bytes, file->size);
	free(file->blocks);
	free(file);
}

static void elf_file_freep(struct elf_file **file)
{
	elf_file_free(*file);
}

static int reserve(struct elf_file *file)
{
	void *bytes =
		mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (bytes == MAP_FAILED)
		return -ENOMEM;
	file->bytes = bytes;
	file->blocks = calloc(block_count(file), 1);
	return file->blocks ? 0 : -ENOMEM;
}

int elf_file_new(int fd, struct elf_file **ret)
{
	_cleanup_(elf_file_freep) struct elf_file *file = calloc(1, sizeof(*file));
	struct stat st;
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (file->fd < 0 || fstat(file->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return -ENOEXEC;
	if ((uint64_t)st.st_size > FILE_SIZE_MAX)
		return -EFBIG;
	file->size = (uint64_t)st.st_size;
	r = reserve(file);
	if (r < 0)
		return r;
	*ret = take_ptr(file);
	return 0;
}

uint64_t elf_file_size(const struct elf_file *file)
{
	return file->size;
}

static bool pread_full(int fd, uint8_t *buf, uint64_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t n = pread(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf += n;
		len -= (uint64_t)n;
		offset += (uint64_t)n;
	}
	return true;
}

/** Read the run of unread blocks from @p first to @p last, both included. */
static void fill(const struct elf_file *file, uint64_t first, uint64_t last)
{
	uint64_t from = first * BLOCK_SIZE, to = (last + 1) * BLOCK_SIZE;
	bool ok;

	if (to > file->size)
		to = file->size;
	ok = pread_full(file->fd, file->bytes + from, to - from, from);
	memset(file->blocks + first, ok ? BLOCK_READ : BLOCK_FAILED, last - first + 1);
}

const void *elf_file_at(const struct elf_file *file, uint64_t offset, uint64_t len)
{
	uint64_t last, block, run;

	if (offset >= file->size || len > file->size - offset)
		return NULL;
	last = (offset + (len ? len - 1 : 0)) / BLOCK_SIZE;
	for (block = offset / BLOCK_SIZE; block <= last; block++) {
		if (file->blocks[block] == BLOCK_UNREAD) {
			for (run = block; run < last && file->blocks[run + 1] == BLOCK_UNREAD;)
				run++;
			fill(file, block, run);
		}
		if (file->blocks[block] == BLOCK_FAILED)
			return NULL;
	}
	return file->bytes + offset;
}
