#include "sample/runtime.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "attach/procfs.h"
#include "base/log.h"
#include "symbols/elf_image.h"

#define CANDIDATES_MAX 16

enum file_symbol {
	SYMBOL_CODE_TYPE,
	SYMBOL_NONE,
	SYMBOL_TYPES, /* from here on: enum pytype */
};

static const char *const symbol_names[] = {[SYMBOL_CODE_TYPE] = "PyCode_Type",
					   [SYMBOL_NONE] = "_Py_NoneStruct",
#define X(name) #name,
					   PYTYPES(X)
#undef X
};

struct file {
	dev_t dev;
	ino_t ino;
	int64_t size, mtime;
	enum cpython_presence presence;
	struct elf_image *elf; /* only of what has a Python in it */
	int error;
	const char *reason;
	struct cpython py;
	uint64_t symbols[ARRAY_SIZE(symbol_names)]; /* vaddrs */
};

void runtimes_init(struct runtimes *runtimes)
{
	memset(runtimes, 0, sizeof(*runtimes));
	hash_key_init(&runtimes->key);
}

static void file_free(struct file *file)
{
	if (file)
		elf_image_free(file->elf);
	free(file);
}

static void file_freep(struct file **file)
{
	file_free(*file);
}

void runtimes_deinit(struct runtimes *runtimes)
{
	for (size_t i = 0; i < runtimes->files.n_slots; i++)
		file_free(runtimes->files.slots[i].entry);
	hashmap_deinit(&runtimes->files);
}

void runtime_deinit(struct runtime *runtime)
{
	free(runtime->path);
	memset(runtime, 0, sizeof(*runtime));
}

/* ------------------------------------------------------------------------------------------------------ the files */

static int refuse(struct file *file, const char *reason)
{
	file->reason = reason;
	return -ENOTSUP;
}

/* Reading needs less of a build than measuring does: from 3.13 on a build says itself where things are. */
static int load_python(struct file *file)
{
	int r = cpython_load(file->elf, &file->py, &file->reason);

	if (r < 0)
		return r;
	if (file->py.is_free_threaded)
		return refuse(file, "free-threaded builds of Python are not supported");
	if (!file->py.is_final)
		return refuse(file, "pre-releases of Python are not supported");
	if (file->py.is_debug && !file->py.layout.has_debug_offsets)
		return refuse(file, "debug builds of Python (--with-pydebug) before 3.13 are not supported");
	cpython_resolve(file->elf, symbol_names, ARRAY_SIZE(symbol_names), file->symbols);
	if (!file->symbols[SYMBOL_CODE_TYPE])
		return refuse(file, "it does not export the C-API");
	return 0;
}

static int load(struct file *file, int fd)
{
	const char *reason = NULL;
	int r = elf_image_new(fd, &file->elf, &reason);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	file->presence = cpython_probe(file->elf);
	if (file->presence == CPYTHON_DEFINED) {
		file->error = load_python(file);
		if (file->error < 0 && !file->reason)
			file->reason = "its Python runtime was not recognised";
		return 0;
	}
	elf_image_free(file->elf);
	file->elf = NULL;
	return 0;
}

static bool same_file(const void *entry, const void *key)
{
	const struct file *a = entry, *b = key;

	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime;
}

static int get_file(struct runtimes *runtimes, int fd, const struct file **ret)
{
	_cleanup_(file_freep) struct file *file = calloc(1, sizeof(*file));
	struct stat st;
	uint64_t hash;
	int r;

	if (!file)
		return -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->size = st.st_size;
	file->mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	hash = hash_bytes(&runtimes->key, &file->ino, sizeof(file->ino));
	*ret = hashmap_find(&runtimes->files, hash, same_file, file);
	if (*ret)
		return 0;
	r = load(file, fd);
	if (r == 0)
		r = hashmap_add(&runtimes->files, hash, file);
	if (r < 0)
		return r;
	*ret = take_ptr(file);
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- the process */

struct candidate {
	const struct file *file;
	uint64_t bias;
	char *path;
};

struct search {
	struct runtimes *runtimes;
	pid_t pid;
	struct candidate found[CANDIDATES_MAX];
	size_t n;
	uint64_t last_ino;
	dev_t last_dev;
	bool last_was_python;
};

static bool is_known(const struct search *s, const struct file *file, uint64_t bias)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->found[i].file == file && s->found[i].bias == bias)
			return true;
	return false;
}

static int search_map(const struct procfs_map *map, void *arg)
{
	struct search *s = arg;
	_cleanup_close_ int fd = -1;
	const struct file *file = NULL;
	uint64_t bias;

	if (!map->executable || !map->ino)
		return 0;
	/* A file that is mapped twice may be another copy of the same Python: dlmopen(3). */
	if (map->ino == s->last_ino && map->dev == s->last_dev && !s->last_was_python)
		return 0;
	s->last_ino = map->ino;
	s->last_dev = map->dev;
	s->last_was_python = false;
	fd = procfs_open_map(s->pid, map);
	if (fd < 0 || get_file(s->runtimes, fd, &file) < 0 || file->presence != CPYTHON_DEFINED)
		return 0;
	s->last_was_python = true;
	if (elf_image_bias(file->elf, map->offset, map->start, true, &bias) < 0 || is_known(s, file, bias))
		return 0;
	s->found[s->n++] = (struct candidate){file, bias, strdup(map->path)};
	return s->n == CANDIDATES_MAX;
}

static void search_deinit(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->found[i].path);
}

static uint64_t addr_of(const struct candidate *c, int symbol)
{
	return c->file->symbols[symbol] ? c->file->symbols[symbol] + c->bias : 0;
}

static void fill(const struct candidate *c, struct runtime *ret)
{
	ret->py = &c->file->py;
	ret->bias = c->bias;
	ret->python = (struct pyruntime){
		.layout = &c->file->py.layout,
		.addr = c->file->py.runtime + c->bias,
		.code_type = addr_of(c, SYMBOL_CODE_TYPE),
		.none = addr_of(c, SYMBOL_NONE),
	};
	for (int i = 0; i < PYTYPE_COUNT; i++)
		ret->python.types[i] = addr_of(c, SYMBOL_TYPES + i);
}

/* Has it an interpreter? */
static int is_alive(struct remote *remote, const struct candidate *c)
{
	uint64_t addr = c->file->py.runtime + c->bias + (uint64_t)c->file->py.layout.runtime.interpreters_head,
		 head = 0;
	int r = remote_read(remote, addr, &head, sizeof(head));

	return r < 0 ? r : head != 0;
}

static int choose(struct search *s, struct remote *remote, struct runtime *ret, const char **reason)
{
	int error = -ENOENT;

	for (size_t i = 0; i < s->n; i++) {
		struct candidate *c = &s->found[i];
		int r;

		if (c->file->error < 0) {
			*reason = c->file->reason;
			error = -ENOTSUP;
			continue;
		}
		r = is_alive(remote, c);
		if (r > 0) {
			fill(c, ret);
			ret->path = take_ptr(c->path);
			return 0;
		}
		if (r == 0 || error == -ENOENT)
			error = r < 0 ? r : -EAGAIN;
	}
	return error;
}

int runtime_find(struct runtimes *runtimes, struct remote *remote, struct runtime *ret, const char **reason)
{
	_cleanup_(search_deinit) struct search s = {.runtimes = runtimes, .pid = remote->tid};
	int r = procfs_each_map(remote->tid, search_map, &s);

	memset(ret, 0, sizeof(*ret));
	return r < 0 ? r : choose(&s, remote, ret, reason);
}
