#include "supervisor/traps_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define CACHE_MAGIC "pycov-trace " PYCOV_TRACE_VERSION

struct cached {
	char magic[32];
	int64_t dev, ino, size, mtime, ctime;
	int64_t our_size, our_mtime; /* another build of pycov-trace may look for other things */
	uint64_t unknown_opcode;
	struct agent_traps traps;
};

static void key_of(const struct image *image, struct cached *c)
{
	struct stat st;

	memset(c, 0, sizeof(*c));
	snprintf(c->magic, sizeof(c->magic), "%s", CACHE_MAGIC);
	c->dev = (int64_t)image->dev;
	c->ino = (int64_t)image->ino;
	c->size = image->size;
	c->mtime = image->mtime;
	c->ctime = image->ctime;
	if (stat("/proc/self/exe", &st) == 0) {
		c->our_size = st.st_size;
		c->our_mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	}
}

/* The directory, made if need be. */
static int open_directory(void)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];
	int n;

	if (base && base[0] == '/')
		n = snprintf(path, sizeof(path) - 16, "%s", base);
	else if (home && home[0] == '/')
		n = snprintf(path, sizeof(path) - 16, "%s/.cache", home);
	else
		return -ENOENT;
	if (n >= (int)sizeof(path) - 16)
		return -ENOENT;
	mkdir(path, 0700);
	strcpy(path + n, "/pycov-trace");
	mkdir(path, 0700);
	n = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return n < 0 ? -errno : n;
}

static void name_of(const struct image *image, char name[64])
{
	snprintf(name, 64, "traps-%llx-%llx-%llx", (unsigned long long)image->dev, (unsigned long long)image->ino,
		 (unsigned long long)image->mtime);
}

int traps_cache_load(struct image *image)
{
	_cleanup_close_ int dir = open_directory(), fd = -1;
	struct cached c, key;
	struct stat st;
	char name[64];

	if (dir < 0)
		return -ENOENT;
	name_of(image, name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 022 || st.st_size != sizeof(c))
		return -ENOENT;
	key_of(image, &key);
	if (read(fd, &c, sizeof(c)) != sizeof(c) || memcmp(&c, &key, offsetof(struct cached, unknown_opcode)))
		return -ENOENT;
	image->traps = c.traps;
	image->unknown_opcode = c.unknown_opcode;
	return 0;
}

void traps_cache_store(const struct image *image)
{
	_cleanup_close_ int dir = open_directory(), fd = -1;
	char name[64], temporary[96];
	struct cached c;

	if (dir < 0)
		return;
	key_of(image, &c);
	c.traps = image->traps;
	c.unknown_opcode = image->unknown_opcode;
	name_of(image, name);
	snprintf(temporary, sizeof(temporary), "%s.%d", name, getpid());
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, &c, sizeof(c)) != sizeof(c) || renameat(dir, temporary, dir, name) < 0)
		unlinkat(dir, temporary, 0);
}
