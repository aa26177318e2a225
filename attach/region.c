#include "attach/region.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/log.h"

#define HEAD_SIZE ((ssize_t)offsetof(struct region_header, file_buckets))

int region_create(int fd)
{
	struct region_header head;

	memset(&head, 0, HEAD_SIZE); /* of pages the rest would take as many faults */
	head.magic = REGION_MAGIC;
	head.abi = AGENT_ABI;
	head.used = sizeof(struct region_header);
	if (ftruncate(fd, REGION_SIZE) < 0)
		return -errno;
	/* Nobody may take the ground from under the other: a smaller file would mean SIGBUS. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return pwrite(fd, &head, HEAD_SIZE, 0) < 0 ? -errno : 0;
}

bool region_is_valid(int fd)
{
	struct region_header head;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && seals & F_SEAL_SHRINK && fstat(fd, &st) == 0 && st.st_size == REGION_SIZE &&
	       pread(fd, &head, HEAD_SIZE, 0) == HEAD_SIZE && head.magic == REGION_MAGIC && head.abi == AGENT_ABI;
}

bool region_is_over(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
}

void region_read_counters(int fd, struct region_counters *ret)
{
	struct region_header h;

	memset(ret, 0, sizeof(*ret));
	if (pread(fd, &h, HEAD_SIZE, 0) != HEAD_SIZE)
		return;
	ret->status = (enum agent_status)h.status;
	ret->used = h.used;
	ret->dropped_files = h.dropped_files;
	ret->dropped_lines = h.dropped_lines;
	ret->dropped_code = h.dropped_code;
}

/*
 * One walk, through a copy, or the region itself once nobody can write to it. Honest parts are led to once, so together they are no larger than what is in use: false ones,
 * cyclic or shared, must not keep us busy for longer.
 */
struct walk {
	const struct region_visitor *v;
	unsigned char *copy;
	bool is_mapped;	     /* it is the region itself */
	size_t size, budget; /* bytes */
	int erased;	     /* descriptor of the region, whose bits are set to 0; -1: none */
};

/* The @len bytes at @offset, or NULL if they are not all there. */
static const void *at(const struct walk *w, uint32_t offset, size_t len)
{
	if (offset < sizeof(struct region_header) || offset % 4 || offset > w->size || len > w->size - offset)
		return NULL;
	return w->copy + offset;
}

static int spend(struct walk *w, size_t len)
{
	if (len > w->budget)
		return -EBADMSG;
	w->budget -= len;
	return 0;
}

/* The same as at(), for a part that is about to be visited. *@error is set when there have been too many. */
static const void *visit(struct walk *w, uint32_t offset, size_t len, int *error)
{
	const void *p = at(w, offset, len);

	*error = p ? spend(w, len) : 0;
	return *error ? NULL : p;
}

static int erase(struct walk *w, size_t offset, size_t len)
{
	static const unsigned char zeros[4096];

	while (len) {
		size_t n = len < sizeof(zeros) ? len : sizeof(zeros);

		if (pwrite(w->erased, zeros, n, (off_t)offset) != (ssize_t)n)
			return -EIO;
		offset += n;
		len -= n;
	}
	return 0;
}

static int visit_chunk(struct walk *w, uint32_t file, uint32_t index, uint32_t offset)
{
	const size_t size = REGION_LINES_PER_CHUNK / 8;
	const unsigned char *bits;
	int r = 0;

	bits = offset ? visit(w, offset, size, &r) : NULL;
	if (bits && w->erased >= 0)
		return erase(w, offset, size);
	return bits ? w->v->lines(w->v->arg, file, index * REGION_LINES_PER_CHUNK, bits, size) : r;
}

static int visit_leaf(struct walk *w, uint32_t file, uint32_t first, uint32_t offset)
{
	const uint32_t *leaf;
	int r = 0;

	leaf = offset ? visit(w, offset, 4 * REGION_FAR_LEAF, &r) : NULL;
	for (uint32_t i = 0; leaf && !r && i < REGION_FAR_LEAF; i++)
		r = visit_chunk(w, file, first + i, leaf[i]);
	return r;
}

static int visit_far(struct walk *w, uint32_t file, uint32_t far)
{
	const uint32_t *top;
	int r = 0;

	top = far ? visit(w, far, 4 * REGION_FAR_TOP, &r) : NULL;
	for (uint32_t i = 0; top && !r && i < REGION_FAR_TOP; i++)
		r = visit_leaf(w, file, i * REGION_FAR_LEAF, top[i]);
	return r;
}

static int visit_file(struct walk *w, uint32_t offset, const struct region_file *f)
{
	int r;

	if (!f->name_len || f->name_len > 2 * REGION_NAME_MAX || !at(w, offset, sizeof(*f) + f->name_len))
		return 0;
	r = spend(w, f->name_len);
	if (!r && w->v->file)
		r = w->v->file(w->v->arg, offset, f->name, f->name_len, f->flags & REGION_FILE_REFUSED);
	for (uint32_t i = 0; !r && w->v->lines && i < REGION_NEAR_CHUNKS; i++)
		r = visit_chunk(w, offset, i, f->near[i]);
	if (!r && w->v->lines)
		r = visit_far(w, offset, f->far);
	return r;
}

static int visit_code(struct walk *w, uint32_t offset, const struct region_code *c)
{
	const size_t before = (size_t)c->name_len + c->table_len;
	const size_t len = before + c->kept + REGION_WAYS_SIZE((size_t)c->kept);

	if (!at(w, offset, sizeof(*c) + len))
		return 0;
	if (spend(w, len) < 0)
		return -EBADMSG;
	if (w->erased >= 0)
		return erase(w, offset + sizeof(*c) + before + c->kept, REGION_WAYS_SIZE((size_t)c->kept));
	return w->v->code(w->v->arg, offset, c, c->data, (const unsigned char *)c->data + c->name_len);
}

static int walk_chain(struct walk *w, uint32_t offset, bool files)
{
	int r = 0;

	while (offset && !r) {
		const void *p = visit(w, offset, files ? sizeof(struct region_file) : sizeof(struct region_code), &r);

		if (!p)
			return -EBADMSG;
		r = files ? visit_file(w, offset, p) : visit_code(w, offset, p);
		offset = *(const uint32_t *)p; /* `next` is the first member of both */
	}
	return r == REGION_SEEN && !files ? 0 : r;
}

static int copy_part(int fd, unsigned char *to, size_t from, size_t until)
{
	while (from < until) {
		ssize_t n = pread(fd, to + from, until - from, (off_t)from);

		if (n <= 0)
			return n < 0 ? -EIO : -EBADMSG;
		from += (size_t)n;
	}
	return 0;
}

/*
 * Only what is in use: the holes behind it stay holes. The header comes first: all that it leads to is older, and so in
 * what is found to be in use afterwards. What is published meanwhile is beyond, and left for the next walk.
 */
static int copy_region(int fd, struct walk *w)
{
	struct region_counters c;
	unsigned char *whole;
	int r;

	w->copy = malloc(sizeof(struct region_header));
	if (!w->copy)
		return -ENOMEM;
	r = copy_part(fd, w->copy, 0, sizeof(struct region_header));
	if (r < 0)
		return r;
	region_read_counters(fd, &c);
	if (c.used < sizeof(struct region_header) || c.used > REGION_SIZE)
		return -EBADMSG;
	whole = realloc(w->copy, c.used);
	if (!whole)
		return -ENOMEM;
	w->copy = whole;
	w->size = c.used;
	w->budget = c.used;
	return copy_part(fd, w->copy, sizeof(struct region_header), c.used);
}

/* What can be written to no more need not be copied. MAP_PRIVATE, as older kernels refuse another one of what is sealed. */
static int map_region(int fd, struct walk *w)
{
	struct region_counters c;
	void *p;

	region_read_counters(fd, &c);
	if (c.used < sizeof(struct region_header) || c.used > REGION_SIZE)
		return -EBADMSG;
	p = mmap(NULL, c.used, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	w->copy = p;
	w->is_mapped = true;
	w->size = c.used;
	w->budget = c.used;
	return 0;
}

static bool is_immutable(int fd)
{
	const int needed = F_SEAL_WRITE | F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & needed) == needed;
}

static int walk_begin(int fd, struct walk *w)
{
	return is_immutable(fd) ? map_region(fd, w) : copy_region(fd, w);
}

static void walk_end(struct walk *w)
{
	if (w->is_mapped)
		munmap(w->copy, w->size);
	else
		free(w->copy);
}

#define BLOCK 16
_Static_assert(REGION_FILE_BUCKETS % BLOCK == 0 && REGION_CODE_BUCKETS % BLOCK == 0, "whole blocks");

static bool block_is_empty(const uint32_t *buckets)
{
	uint64_t words[BLOCK / 2], any = 0;

	memcpy(words, buckets, sizeof(words));
	for (size_t i = 0; i < BLOCK / 2; i++)
		any |= words[i];
	return !any;
}

/* Most are empty, and this is done at the end of every process: pass over them by the block. */
static int walk_buckets(struct walk *w, const uint32_t *buckets, uint32_t n, bool files)
{
	int r = 0;

	for (uint32_t i = 0; i < n && !r; i += BLOCK) {
		if (block_is_empty(&buckets[i]))
			continue;
		for (uint32_t j = 0; j < BLOCK && !r; j++)
			r = walk_chain(w, buckets[i + j], files);
	}
	return r;
}

static int no_visitor(void *arg, uint32_t file, uint32_t first_line, const unsigned char *bits, size_t n)
{
	(void)arg, (void)file, (void)first_line, (void)bits, (void)n;
	return 0;
}

int region_forget_lines(int fd)
{
	const struct region_visitor v = {.lines = no_visitor};
	struct walk w = {.v = &v, .erased = fd};
	int r = copy_region(fd, &w);

	if (!r)
		r = walk_buckets(&w, ((const struct region_header *)(const void *)w.copy)->file_buckets,
				 REGION_FILE_BUCKETS, true);
	if (!r)
		r = walk_buckets(&w, ((const struct region_header *)(const void *)w.copy)->code_buckets,
				 REGION_CODE_BUCKETS, false);
	free(w.copy);
	return r;
}

int region_walk(int fd, const struct region_visitor *v)
{
	struct walk w = {.v = v, .erased = -1};
	const struct region_header *h;
	int r = walk_begin(fd, &w);

	h = (const void *)w.copy;
	if (!r)
		r = walk_buckets(&w, h->file_buckets, REGION_FILE_BUCKETS, true);
	if (!r && v->code)
		r = walk_buckets(&w, h->code_buckets, REGION_CODE_BUCKETS, false);
	walk_end(&w);
	return r;
}
