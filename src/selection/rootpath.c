/*
 * The kernel resolves the absolute links of another root in ours when they are reached through
 * /proc/PID/root, so they are resolved here, one component after the other. Whoever exchanges a
 * directory for a link in between can make us name, or stat, another file, and no more than that.
 */
#include "selection/rootpath.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define LINKS_MAX 40	  /* as the kernel, path_resolution(7) */
#define PENDING_MAX 65536 /* of a path and the links in it */

int rootpath_init(struct rootpath *rp, const char *root)
{
	*rp = (struct rootpath){.root = strdup(root && strcmp(root, "/") ? root : "")};
	return rp->root ? 0 : -ENOMEM;
}

void rootpath_deinit(struct rootpath *rp)
{
	free(rp->root);
	free(rp->last_dir);
	free(rp->last_real);
	*rp = (struct rootpath){0};
}

static char *in_root(const struct rootpath *rp, const char *path)
{
	char *full;

	return asprintf(&full, "%s%s", rp->root, path) < 0 ? NULL : full;
}

bool rootpath_exists(const struct rootpath *rp, const char *path, bool dir)
{
	_cleanup_free_ char *full = in_root(rp, path);
	struct stat st;

	return full && stat(full, &st) == 0 && (!dir || S_ISDIR(st.st_mode));
}

int rootpath_open(const struct rootpath *rp, const char *path, int flags)
{
	_cleanup_free_ char *full = in_root(rp, path);
	int fd;

	if (!full)
		return -ENOMEM;
	fd = open(full, flags | O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool path_is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '\0' || path[len] == '/' || (len > 0 && dir[len - 1] == '/'));
}

/** The target of the link @p path; NULL if it is none, does not exist or cannot be read. */
static char *read_link(const struct rootpath *rp, const char *path)
{
	_cleanup_free_ char *full = in_root(rp, path);
	char target[PATH_MAX];
	ssize_t n;

	if (!full)
		return NULL;
	n = readlink(full, target, sizeof(target) - 1);
	if (n <= 0)
		return NULL;
	target[n] = '\0';
	return strdup(target);
}

/** A path in the making: components still to be taken are at `next`. */
struct walk {
	char *real;    /* "" stands for the root */
	char *pending; /* owns what `next` points into */
	char *next;
	int links;
};

static void walk_deinit(struct walk *walk)
{
	free(walk->real);
	free(walk->pending);
}

static int walk_push(struct walk *walk, const char *name)
{
	char *longer;

	if (asprintf(&longer, "%s/%s", walk->real, name) < 0)
		return -ENOMEM;
	free(walk->real);
	walk->real = longer;
	return 0;
}

static void walk_pop(struct walk *walk)
{
	char *slash = strrchr(walk->real, '/');

	if (slash)
		*slash = '\0';
}

/** Go on with @p target, the link which is the last component so far, and then the rest. */
static int walk_follow(struct walk *walk, const char *target)
{
	char *pending;
	int n = asprintf(&pending, "%s/%s", target, walk->next);

	if (n < 0)
		return -ENOMEM;
	free(walk->pending);
	walk->pending = walk->next = pending;
	if (target[0] == '/')
		walk->real[0] = '\0';
	else
		walk_pop(walk);
	return n > PENDING_MAX ? -ENAMETOOLONG : 0;
}

static int walk_step(struct walk *walk, const struct rootpath *rp, const char *name)
{
	_cleanup_free_ char *target = NULL;
	int r;

	if (!*name || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		walk_pop(walk);
		return 0;
	}
	r = walk_push(walk, name);
	if (r < 0)
		return r;
	if (strlen(walk->real) > PENDING_MAX)
		return -ENAMETOOLONG;
	if (walk->links >= LINKS_MAX)
		return 0;
	target = read_link(rp, walk->real);
	if (!target)
		return 0;
	walk->links++;
	return walk_follow(walk, target);
}

/** Resolve @p path, which begins in the directory @p start that is resolved already. */
static int resolve(const struct rootpath *rp, const char *start, const char *path, char **ret)
{
	_cleanup_(walk_deinit) struct walk walk = {
		.real = strdup(start),
		.pending = strdup(path),
	};
	char *name;

	if (!walk.real || !walk.pending)
		return -ENOMEM;
	walk.next = walk.pending;
	while ((name = strsep(&walk.next, "/"))) {
		int r;

		if (!walk.next)
			walk.next = name + strlen(name);
		r = walk_step(&walk, rp, name);
		if (r < 0)
			return r;
		if (!*walk.next)
			break;
	}
	*ret = take_ptr(walk.real);
	return 0;
}

/** Resolve the directory of @p path, of @p len bytes, or remember it. */
static int resolve_dir(struct rootpath *rp, const char *path, size_t len)
{
	_cleanup_free_ char *dir = strndup(path, len);
	char *real;
	int r;

	if (!dir)
		return -ENOMEM;
	if (rp->last_dir && !strcmp(rp->last_dir, dir))
		return 0;
	r = resolve(rp, "", dir, &real);
	if (r < 0)
		return r;
	free(rp->last_dir);
	free(rp->last_real);
	rp->last_dir = take_ptr(dir);
	rp->last_real = real;
	return 0;
}

int rootpath_real(struct rootpath *rp, const char *path, char **ret)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *real;
	int r;

	if (strlen(path) > PENDING_MAX)
		return -ENAMETOOLONG;
	r = resolve_dir(rp, path, (size_t)(name - path));
	if (r < 0)
		return r;
	r = resolve(rp, rp->last_real, name, &real);
	if (r < 0)
		return r;
	if (!*real) {
		free(real);
		real = strdup("/");
		if (!real)
			return -ENOMEM;
	}
	*ret = real;
	return 0;
}
