#include "supervisor/images.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "supervisor/traps_config.h"

static const char *const api_names[] = {
#define X(name) #name,
	AGENT_API(X)
#undef X
};

void images_init(struct images *images)
{
	memset(images, 0, sizeof(*images));
	hash_key_init(&images->key);
	(void)!procfs_status(getpid(), &images->ours);
}

static void image_free(struct image *image)
{
	if (image)
		elf_image_free(image->elf);
	free(image);
}

static void image_freep(struct image **image)
{
	image_free(*image);
}

void images_deinit(struct images *images)
{
	for (size_t i = 0; i < images->map.n_slots; i++)
		image_free(images->map.slots[i].entry);
	hashmap_deinit(&images->map);
}

static bool same_file(const void *entry, const void *key)
{
	const struct image *a = entry, *b = key;

	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime &&
	       a->ctime == b->ctime;
}

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The functions without which the agent cannot do its work at all. */
static bool has_needed(const struct image *image)
{
	static const enum agent_api needed[] = {API_PyEval_EvalCode, API_Py_IncRef,	      API_Py_DecRef,
						API_PyErr_Fetch,     API_PyErr_Restore,	      API_PyErr_Clear,
						API_PyTuple_New,     API_PyObject_CallObject, API_PyCode_Type,
						API__Py_NoneStruct};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!image->api[needed[i]])
			return false;
	return true;
}

static int refuse(struct image *image, const char *reason)
{
	image->reason = reason;
	return -ENOTSUP;
}

static int load_python(struct image *image)
{
	int r = cpython_load(image->elf, &image->py, &image->reason);

	if (r < 0)
		return r;
	if (!image->py.is_final)
		return refuse(image, "pre-releases of Python are not supported");
	if (image->py.is_debug)
		return refuse(image, "debug builds of Python (--with-pydebug) are not supported");
	if (image->py.is_free_threaded)
		return refuse(image, "free-threaded builds of Python are not supported");
	cpython_resolve(image->elf, api_names, API_COUNT, image->api);
	if (!has_needed(image))
		return refuse(image, "it does not export the C-API");
	if (!image->py.layout.has_monitoring)
		return traps_config_load(image, &image->reason);
	return 0;
}

static int image_load(struct image *image, int fd)
{
	const char *reason = NULL;
	int r = elf_image_new(fd, &image->elf, &reason);

	if (r == -ENOTSUP) { /* another machine's, perhaps a 32-bit Python: followed, not measured */
		image->presence = CPYTHON_ABSENT;
		image->reason = reason;
		return 0;
	}
	if (r < 0)
		return r;
	image->presence = cpython_probe(image->elf);
	if (image->presence == CPYTHON_DEFINED) {
		image->error = load_python(image);
		if (image->error < 0 && !image->reason)
			image->reason = "its Python runtime was not recognised";
	} else if (image->presence == CPYTHON_ABSENT) {
		elf_image_free(image->elf);
		image->elf = NULL;
	}
	return 0;
}

int images_get(struct images *images, int fd, const struct image **ret)
{
	_cleanup_(image_freep) struct image *new = NULL;
	struct image key = {0};
	struct stat st;
	uint64_t hash;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	key.dev = st.st_dev;
	key.ino = st.st_ino;
	key.size = st.st_size;
	key.mtime = nanoseconds(st.st_mtim);
	key.ctime = nanoseconds(st.st_ctim);
	hash = hash_bytes(&images->key, &key.ino, sizeof(key.ino));
	*ret = hashmap_find(&images->map, hash, same_file, &key);
	if (*ret)
		return 0;
	new = malloc(sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = key;
	r = image_load(new, fd);
	if (r < 0)
		return r;
	r = hashmap_add(&images->map, hash, new);
	if (r < 0)
		return r;
	*ret = take_ptr(new);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------ foreseen */

static int open_below(pid_t pid, const char *origin, size_t origin_len, const char *dir, size_t dir_len,
		      const char *name)
{
	static const char *const variables[] = {"$ORIGIN", "${ORIGIN}"};
	char path[2 * PATH_MAX];
	size_t skip = 0;

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (!strncmp(dir, variables[i], strlen(variables[i])))
			skip = strlen(variables[i]);
	if (dir_len < skip || snprintf(path, sizeof(path), "/proc/%d/root%.*s%.*s/%s", pid, skip ? (int)origin_len : 0,
				       origin, (int)(dir_len - skip), dir + skip, name) >= (int)sizeof(path))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Of a list with colons. */
static int open_in(pid_t pid, const char *origin, size_t origin_len, const char *dirs, const char *name)
{
	for (size_t n = 0;; dirs += n + 1) {
		int fd;

		n = strcspn(dirs, ":");
		fd = open_below(pid, origin, origin_len, dirs, n, name);
		if (fd >= 0 || !dirs[n])
			return fd;
	}
}

static const char *needed_library(const struct image *image)
{
	const char *name = NULL;

	for (size_t i = 0; (name = elf_image_needed(image->elf, i)); i++)
		if (!strncmp(name, "libpython", 9) && !strchr(name, '/'))
			break;
	return name;
}

void images_foresee(struct images *images, const struct image *image, pid_t pid)
{
	const char *name = image->elf ? needed_library(image) : NULL,
		   *dirs = name ? elf_image_runpath(image->elf) : NULL;
	_cleanup_free_ char *exe = name ? procfs_link(pid, "exe") : NULL;
	_cleanup_close_ int fd = -1;
	const struct image *library;

	if (!exe || !strrchr(exe, '/'))
		return;
	fd = open_in(pid, exe, (size_t)(strrchr(exe, '/') - exe), dirs ? dirs : "", name);
	if (fd < 0)
		fd = open_in(pid, "", 0, "/usr/lib/x86_64-linux-gnu:/usr/lib64:/usr/lib:/usr/local/lib", name);
	if (fd >= 0)
		(void)!images_get(images, fd, &library);
}
