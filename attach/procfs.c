#include "attach/procfs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NEAR_MAX (1ull << 30)
#define LOWEST 0x10000ull /* vm.mmap_min_addr, as distributions set it */

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

static bool parse_map(char *line, struct procfs_map *map)
{
	char perms[5];
	unsigned int major, minor;
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &map->start, &map->end, perms,
		   &map->offset, &major, &minor, &map->ino, &path) < 7)
		return false;
	line[strcspn(line, "\n")] = 0;
	map->path = path ? line + path : "";
	map->dev = makedev(major, minor);
	map->readable = perms[0] == 'r';
	map->executable = perms[2] == 'x';
	return map->start < map->end;
}

int procfs_each_map(pid_t pid, int (*f)(const struct procfs_map *map, void *arg), void *arg)
{
	_cleanup_fclose_ FILE *file = open_proc(pid, "maps");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	struct procfs_map map;
	int r;

	if (!file)
		return -ESRCH;
	while (getline(&line, &room, file) > 0) {
		if (!parse_map(line, &map))
			continue;
		r = f(&map, arg);
		if (r)
			return r;
	}
	return 0;
}

int procfs_open_exe(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -ENOENT : fd;
}

/* By the kernel's own link to the mapped file, or by its name in the target's view when that needs a right we lack. */
int procfs_open_map(pid_t pid, const struct procfs_map *map)
{
	char path[PATH_MAX + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start, map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	if (map->path[0] != '/')
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/root%.*s", pid, PATH_MAX, map->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) < 0 || st.st_ino != map->ino) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

int procfs_auxv(pid_t pid, struct procfs_auxv *ret)
{
	_cleanup_fclose_ FILE *file = open_proc(pid, "auxv");
	Elf64_auxv_t a;

	memset(ret, 0, sizeof(*ret));
	if (!file)
		return -ESRCH;
	while (fread(&a, sizeof(a), 1, file) == 1 && a.a_type != AT_NULL) {
		if (a.a_type == AT_ENTRY)
			ret->entry = a.a_un.a_val;
		else if (a.a_type == AT_PHDR)
			ret->phdr = a.a_un.a_val;
		else if (a.a_type == AT_BASE)
			ret->base = a.a_un.a_val;
		else if (a.a_type == AT_SYSINFO_EHDR)
			ret->vdso = a.a_un.a_val;
	}
	return ret->entry ? 0 : -ESRCH;
}

int procfs_status(pid_t pid, struct procfs_status *ret)
{
	_cleanup_fclose_ FILE *file = open_proc(pid, "status");
	char line[512];

	memset(ret, 0, sizeof(*ret));
	if (!file)
		return -ESRCH;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Tgid: %d", &ret->tgid);
		sscanf(line, "PPid: %d", &ret->ppid);
		sscanf(line, "TracerPid: %d", &ret->tracer);
		sscanf(line, "Seccomp: %d", &ret->seccomp);
		sscanf(line, "Seccomp_filters: %d", &ret->seccomp_filters);
		sscanf(line, "SigCgt: %" SCNx64, &ret->caught);
	}
	return ret->tgid ? 0 : -ESRCH;
}

void procfs_cmdline(pid_t pid, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = open_proc(pid, "cmdline");
	size_t n = file ? fread(buf, 1, size - 1, file) : 0;

	while (n && !buf[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = ' ';
	buf[n] = 0;
	if (!n)
		snprintf(buf, size, "?");
}

char *procfs_argv0(pid_t pid)
{
	_cleanup_fclose_ FILE *file = open_proc(pid, "cmdline");
	char *text = NULL;
	size_t room = 0;

	if (file && getdelim(&text, &room, 0, file) > 0)
		return text;
	free(text);
	return NULL;
}

char *procfs_environment(pid_t pid, const char *name)
{
	_cleanup_fclose_ FILE *file = open_proc(pid, "environ");
	_cleanup_free_ char *text = NULL;
	size_t room = 0, n = strlen(name);

	while (file && getdelim(&text, &room, 0, file) > 0)
		if (!strncmp(text, name, n) && text[n] == '=')
			return strdup(text + n + 1);
	return NULL;
}

struct gap_search {
	raddr near, best, last_end;
	size_t size;
};

static uint64_t distance(raddr a, raddr b)
{
	return a > b ? a - b : b - a;
}

static void gap_consider(struct gap_search *s, raddr at)
{
	if (distance(at, s->near) < NEAR_MAX && (!s->best || distance(at, s->near) < distance(s->best, s->near)))
		s->best = at;
}

static int gap_step(const struct procfs_map *map, void *arg)
{
	struct gap_search *s = arg;

	/* Below a mapping, a page away from both neighbours: what is above one may be needed to grow (brk), what is
	 * below a stack as well. */
	if (map->start >= s->last_end + s->size + 2 * 4096 && strcmp(map->path, "[stack]"))
		gap_consider(s, map->start - s->size - 4096);
	s->last_end = map->end;
	return 0;
}

int procfs_find_gap(pid_t pid, raddr near, size_t size, raddr *ret)
{
	struct gap_search s = {.near = near, .size = (size + 4095) & ~(size_t)4095, .last_end = LOWEST};
	int r = procfs_each_map(pid, gap_step, &s);

	if (r < 0)
		return r;
	if (!s.best)
		return -ENOENT;
	*ret = s.best;
	return 0;
}
