/*
 * A region that its targets have filled with anything. The input: how many files and pieces of code lead the chains, a
 * word for each, and what is behind the header.
 */
#include "attach/region.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

struct seen {
	uint64_t bytes;
	unsigned int sum;
};

static void use(struct seen *seen, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		seen->sum += ((const unsigned char *)data)[i];
	seen->bytes += len;
}

static int on_file(void *arg, uint32_t file, const char *name, size_t len, bool refused)
{
	use(arg, name, len);
	return 0;
}

static int on_lines(void *arg, uint32_t file, uint32_t first, const unsigned char *bits, size_t n)
{
	use(arg, bits, n);
	return 0;
}

static int on_code(void *arg, uint32_t number, const struct region_code *code, const char *qualname,
		   const unsigned char *table)
{
	use(arg, qualname, code->name_len);
	use(arg, table, code->table_len);
	use(arg, table + code->table_len, code->kept + REGION_WAYS_SIZE((size_t)code->kept));
	return 0;
}

static size_t take_heads(struct fuzz_input *in, uint32_t *buckets, size_t n)
{
	size_t taken = 0;

	for (size_t wanted = fuzz_byte(in) % 16; taken < wanted; taken++)
		buckets[(taken * 1021) % n] = fuzz_word(in);
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct region_header header;
	struct seen seen = {0};
	const struct region_visitor v = {on_file, on_lines, on_code, &seen};
	struct fuzz_input in = {data, size};
	int fd = memfd_create("region", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd < 0 || region_create(fd) < 0)
		abort();
	memset(&header, 0, sizeof(header));
	header.magic = REGION_MAGIC;
	header.abi = AGENT_ABI;
	take_heads(&in, header.file_buckets, REGION_FILE_BUCKETS);
	take_heads(&in, header.code_buckets, REGION_CODE_BUCKETS);
	header.used = (uint32_t)(sizeof(header) + in.size + fuzz_byte(&in) % 64 * 64);
	if (pwrite(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    pwrite(fd, in.data, in.size, sizeof(header)) != (ssize_t)in.size)
		abort();
	(void)!region_walk(fd, &v);
	if (seen.bytes > header.used)
		abort(); /* it could be led in circles */
	close(fd);
	return 0;
}
