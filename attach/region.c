#include "attach/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/log.h"

int region_create(int fd)
{
	struct region_header head = {.magic = REGION_MAGIC, .abi = AGENT_ABI, .used = sizeof(struct region_header)};

	if (ftruncate(fd, REGION_SIZE) < 0)
		return -errno;
	/* Nobody may take the ground from under the other: a smaller file would mean SIGBUS. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return pwrite(fd, &head, offsetof(struct region_header, file_buckets), 0) < 0 ? -errno : 0;
}

static bool is_region(int fd)
{
	struct region_header head;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && seals & F_SEAL_SHRINK && fstat(fd, &st) == 0 && st.st_size == REGION_SIZE &&
	       pread(fd, &head, offsetof(struct region_header, file_buckets), 0) > 0 && head.magic == REGION_MAGIC &&
	       head.abi == AGENT_ABI;
}

int region_open(int fd, struct region **ret)
{
	_cleanup_free_ struct region *region = calloc(1, sizeof(*region));
	_cleanup_close_ int read_fd = -1;
	char path[64];
	void *map;

	if (!region)
		return -ENOMEM;
	if (!is_region(fd))
		return -EBADMSG;
	/* A mapping that could be made writable would count as one in region_is_over(). */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read_fd < 0)
		return -errno;
	map = mmap(NULL, REGION_SIZE, PROT_READ, MAP_SHARED | MAP_NORESERVE, read_fd, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	region->fd = fd;
	region->read_fd = take_fd(read_fd);
	region->map = map;
	*ret = take_ptr(region);
	return 0;
}

void region_close(struct region *region)
{
	if (!region)
		return;
	munmap((void *)(uintptr_t)region->map, REGION_SIZE);
	close(region->read_fd);
	close(region->fd);
	free(region);
}

bool region_is_over(const struct region *region)
{
	return fcntl(region->fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
}

static const void *at(const struct region *region, uint32_t offset, size_t len)
{
	if (offset < sizeof(struct region_header) || offset % 4 || offset > REGION_SIZE || len > REGION_SIZE - offset)
		return NULL;
	return region->map + offset;
}

static uint32_t get(const void *p)
{
	return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}

void region_read_counters(const struct region *region, struct region_counters *ret)
{
	const struct region_header *h = (const void *)region->map;

	ret->status = (enum agent_status)get(&h->status);
	ret->used = get(&h->used);
	ret->dropped_files = get(&h->dropped_files);
	ret->dropped_lines = get(&h->dropped_lines);
	ret->dropped_code = get(&h->dropped_code);
}

/* One walk: @budget bounds the steps along chains that may be cyclic. */
struct walk {
	const struct region *region;
	const struct region_visitor *v;
	uint32_t budget;
};

static int visit_chunk(struct walk *w, uint32_t file, uint32_t index, uint32_t offset)
{
	unsigned char bits[REGION_LINES_PER_CHUNK / 8];
	const void *p = offset ? at(w->region, offset, sizeof(bits)) : NULL;

	if (!p)
		return 0;
	memcpy(bits, p, sizeof(bits));
	return w->v->lines(w->v->arg, file, index * REGION_LINES_PER_CHUNK, bits, sizeof(bits));
}

static int visit_far(struct walk *w, uint32_t file, uint32_t far)
{
	const uint32_t *top = far ? at(w->region, far, 4 * REGION_FAR_TOP) : NULL;

	for (uint32_t i = 0; top && i < REGION_FAR_TOP; i++) {
		uint32_t offset = get(&top[i]);
		const uint32_t *leaf = offset ? at(w->region, offset, 4 * REGION_FAR_LEAF) : NULL;

		for (uint32_t j = 0; leaf && j < REGION_FAR_LEAF; j++) {
			int r = visit_chunk(w, file, i * REGION_FAR_LEAF + j, get(&leaf[j]));

			if (r)
				return r;
		}
	}
	return 0;
}

static int visit_file(struct walk *w, uint32_t offset, const struct region_file *f)
{
	char name[REGION_NAME_MAX * 2];
	uint32_t len = get(&f->name_len);
	int r;

	if (!len || len > sizeof(name) || !at(w->region, offset, sizeof(*f) + len))
		return 0;
	memcpy(name, f->name, len);
	r = w->v->file ? w->v->file(w->v->arg, offset, name, len) : 0;
	for (uint32_t i = 0; !r && w->v->lines && i < REGION_NEAR_CHUNKS; i++)
		r = visit_chunk(w, offset, i, get(&f->near[i]));
	if (!r && w->v->lines)
		r = visit_far(w, offset, get(&f->far));
	return r;
}

static int visit_code(struct walk *w, uint32_t offset, const struct region_code *c)
{
	struct region_code head;
	const char *data = c->data;

	memcpy(&head, c, sizeof(head));
	if (!at(w->region, offset, sizeof(head) + (size_t)head.name_len + head.table_len))
		return 0;
	return w->v->code(w->v->arg, &head, data, (const unsigned char *)data + head.name_len);
}

static int walk_chain(struct walk *w, uint32_t offset, bool files)
{
	int r = 0;

	while (offset && !r) {
		const void *p = at(w->region, offset, files ? sizeof(struct region_file) : sizeof(struct region_code));

		if (!p || !w->budget--)
			return -EBADMSG;
		r = files ? visit_file(w, offset, p) : visit_code(w, offset, p);
		offset = get(p); /* `next` is the first member of both */
	}
	return r;
}

int region_walk(const struct region *region, const struct region_visitor *v)
{
	struct walk w = {.region = region, .v = v, .budget = REGION_SIZE / sizeof(struct region_code)};
	_cleanup_free_ struct region_header *h = malloc(sizeof(*h));
	int r = 0;

	if (!h)
		return -ENOMEM;
	/* Not through the mapping: touching its holes would fill them with memory. */
	if (pread(region->fd, h, sizeof(*h), 0) != sizeof(*h))
		return -EIO;
	for (uint32_t i = 0; i < REGION_FILE_BUCKETS && !r; i++)
		r = walk_chain(&w, h->file_buckets[i], true);
	for (uint32_t i = 0; v->code && i < REGION_CODE_BUCKETS && !r; i++)
		r = walk_chain(&w, h->code_buckets[i], false);
	return r;
}
