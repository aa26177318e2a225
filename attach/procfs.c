#include "attach/procfs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NEAR_MAX (1ull << 30)
#define LOWEST 0x10000ull /* vm.mmap_min_addr, as distributions set it */

#define TEXT_MAX (16u << 20) /* more than execve(2) takes of arguments and environment */

static int open_proc(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* At most @size bytes, as many as there are; somebody may be waiting, so stdio, which asks in small pieces, is not used. */
static size_t read_up_to(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (n < size && (r = read(fd, buf + n, size - n)) > 0)
		n += (size_t)r;
	return n;
}

/* All of it, and a NUL; NULL when it cannot be read. */
static char *read_proc(pid_t pid, const char *name, size_t *len)
{
	_cleanup_close_ int fd = open_proc(pid, name);
	size_t room = 8192, n = 0;
	char *text = fd >= 0 ? malloc(room) : NULL;

	while (text) {
		n += read_up_to(fd, text + n, room - 1 - n);
		if (n < room - 1 || room >= TEXT_MAX)
			break;
		char *more = realloc(text, room *= 4);

		if (!more)
			free(text);
		text = more;
	}
	if (text)
		text[n] = 0;
	*len = n;
	return text;
}

/* "start-end perms offset major:minor inode   path", without scanf(3), which takes most of the time of a stop. */
static bool parse_map(char *line, struct procfs_map *map)
{
	char *p = line, *perms;
	unsigned int major, minor;

	map->start = strtoull(p, &p, 16);
	if (*p++ != '-')
		return false;
	map->end = strtoull(p, &p, 16);
	perms = p + 1;
	if (strlen(p) < 6)
		return false;
	map->offset = strtoull(p + 6, &p, 16);
	major = (unsigned int)strtoul(p, &p, 16);
	if (*p++ != ':')
		return false;
	minor = (unsigned int)strtoul(p, &p, 16);
	map->ino = strtoull(p, &p, 10);
	map->path = p + strspn(p, " ");
	map->dev = makedev(major, minor);
	map->readable = perms[0] == 'r';
	map->writable = perms[1] == 'w';
	map->executable = perms[2] == 'x';
	return map->start < map->end;
}

int procfs_each_map(pid_t pid, int (*f)(const struct procfs_map *map, void *arg), void *arg)
{
	size_t len;
	_cleanup_free_ char *text = read_proc(pid, "maps", &len);
	struct procfs_map map;
	char *next;
	int r;

	if (!text)
		return -ESRCH;
	for (char *line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		r = parse_map(line, &map) ? f(&map, arg) : 0;
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

static int open_inode(const char *path, uint64_t ino)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) == 0 && st.st_ino == ino)
		return fd;
	close(fd);
	return -ENOENT;
}

/* By the kernel's own link to the mapped file. When that needs a right we lack, by its name in the target's view, or,
 * when it was deleted, by the other link to it, if it is the program's own file. */
int procfs_open_map(pid_t pid, const struct procfs_map *map)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start, map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	if (map->path[0] == '/') {
		snprintf(path, sizeof(path), "/proc/%d/root%.*s", pid, PATH_MAX, map->path);
		fd = open_inode(path, map->ino);
		if (fd >= 0)
			return fd;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return open_inode(path, map->ino);
}

int procfs_auxv(pid_t pid, struct procfs_auxv *ret)
{
	_cleanup_close_ int fd = open_proc(pid, "auxv");
	Elf64_auxv_t vector[64];
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0)
		return -ESRCH;
	n = read_up_to(fd, (char *)vector, sizeof(vector)) / sizeof(vector[0]);
	for (const Elf64_auxv_t *a = vector; a < vector + n && a->a_type != AT_NULL; a++) {
		if (a->a_type == AT_ENTRY)
			ret->entry = a->a_un.a_val;
		else if (a->a_type == AT_PHDR)
			ret->phdr = a->a_un.a_val;
		else if (a->a_type == AT_BASE)
			ret->base = a->a_un.a_val;
		else if (a->a_type == AT_SYSINFO_EHDR)
			ret->vdso = a->a_un.a_val;
	}
	return ret->entry ? 0 : -ESRCH;
}

/* The value of a line "NAME:\tVALUE". */
static bool is_field(const char *line, const char *name, const char **value)
{
	size_t n = strlen(name);

	*value = line + n + 1;
	return !strncmp(line, name, n) && line[n] == ':';
}

static void parse_ids(const char *text, unsigned int ids[3])
{
	char *end = (char *)text;

	for (int i = 0; i < 3; i++)
		ids[i] = (unsigned int)strtoul(end, &end, 10);
}

/* What is a number per nested namespace: the last one is the process's own. */
static pid_t last_number(const char *text)
{
	char *end = (char *)text;
	long n = 0;

	for (const char *p = text; *p && *p != '\n'; p = end) {
		n = strtol(p, &end, 10);
		if (end == p)
			break;
		end += strspn(end, "\t ");
	}
	return (pid_t)n;
}

static void parse_credentials(const char *line, struct procfs_status *ret)
{
	const char *value;

	if (is_field(line, "Uid", &value))
		parse_ids(value, ret->uid);
	else if (is_field(line, "Gid", &value))
		parse_ids(value, ret->gid);
	else if (is_field(line, "CapPrm", &value))
		ret->caps_permitted = strtoull(value, NULL, 16);
	else if (is_field(line, "CapEff", &value))
		ret->caps_effective = strtoull(value, NULL, 16);
}

static void parse_state(const char *line, struct procfs_status *ret)
{
	const char *value;

	if (is_field(line, "State", &value))
		ret->state = value[strspn(value, "\t ")];
	else if (is_field(line, "Kthread", &value))
		ret->is_kernel_thread = atoi(value) == 1;
	else if (is_field(line, "NSpid", &value))
		ret->ns_pid = last_number(value);
	else if (is_field(line, "Name", &value))
		snprintf(ret->name, sizeof(ret->name), "%.*s", (int)strcspn(value + 1, "\n"), value + 1);
}

static void parse_status(const char *line, struct procfs_status *ret)
{
	const struct {
		const char *name;
		int *value;
	} fields[] = {
		{"Tgid", &ret->tgid},
		{"PPid", &ret->ppid},
		{"TracerPid", &ret->tracer},
		{"Seccomp", &ret->seccomp},
		{"Seccomp_filters", &ret->seccomp_filters},
	};
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (is_field(line, fields[i].name, &value))
			*fields[i].value = atoi(value);
	if (is_field(line, "SigCgt", &value))
		ret->caught = strtoull(value, NULL, 16);
	parse_state(line, ret);
	parse_credentials(line, ret);
}

/* SigPnd (the thread's) and ShdPnd (the process's) come before SigBlk. */
static void parse_pending(const char *line, struct procfs_status *ret)
{
	const char *value;

	if (is_field(line, "SigPnd", &value) || is_field(line, "ShdPnd", &value))
		ret->pending |= strtoull(value, NULL, 16);
	else if (is_field(line, "SigBlk", &value))
		ret->pending &= ~strtoull(value, NULL, 16);
}

int procfs_status(pid_t pid, struct procfs_status *ret)
{
	_cleanup_close_ int fd = open_proc(pid, "status");
	char text[8192];

	memset(ret, 0, sizeof(*ret));
	if (fd < 0)
		return -ESRCH;
	text[read_up_to(fd, text, sizeof(text) - 1)] = 0;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		parse_status(line, ret);
		parse_pending(line, ret);
	}
	return ret->tgid ? 0 : -ESRCH;
}

int procfs_check_access(pid_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[64], byte;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES || errno == EPERM ? -EPERM : -ESRCH;
	/* Without memory there is nothing at any address, and the kernel says 0 bytes, not EIO. */
	return pread(fd, &byte, 1, 0) == 0 ? -ENOENT : 0;
}

bool procfs_is_undumpable(pid_t pid)
{
	struct procfs_status status;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/status", pid); /* the folder itself is always its own user's */
	return stat(path, &st) == 0 && procfs_status(pid, &status) == 0 && st.st_uid != status.uid[1];
}

bool procfs_same_namespace(pid_t a, pid_t b, const char *kind)
{
	struct stat first, second;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", a, kind);
	if (stat(path, &first) < 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", b, kind);
	return stat(path, &second) < 0 || (first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

void procfs_cmdline(pid_t pid, char *buf, size_t size)
{
	_cleanup_close_ int fd = open_proc(pid, "cmdline");
	size_t n = fd >= 0 ? read_up_to(fd, buf, size - 1) : 0;

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
	size_t len;
	_cleanup_free_ char *text = read_proc(pid, "cmdline", &len);

	return text && len ? strdup(text) : NULL;
}

char *procfs_link(pid_t pid, const char *name)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, target, sizeof(target));
	return n > 0 ? strndup(target, (size_t)n) : NULL;
}

char *procfs_cwd(pid_t pid)
{
	return procfs_link(pid, "cwd");
}

char *procfs_environ(pid_t pid, size_t *len)
{
	return read_proc(pid, "environ", len);
}

const char *procfs_environ_find(const char *vars, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = vars, *end = vars + len; vars && p < end; p += strlen(p) + 1)
		if (!strncmp(p, name, n) && p[n] == '=')
			return p + n + 1;
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
