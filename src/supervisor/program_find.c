/* Is there a Python in a process, in which of the files that are mapped, and can it be measured? */
#include "supervisor/program_parts.h"

#include <errno.h>
#include <string.h>

#include "attach/procfs.h"

struct runtime_search {
	pid_t pid;
	struct images *images;
	const struct image *but; /* not this one */
	const struct image *found;
	uint64_t bias;
	raddr base;	      /* of the image at hand */
	bool wants_libpython; /* no others */
	char *path;
	uint64_t last_ino;
	dev_t last_dev;
};

static bool is_libpython(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && !strncmp(name, "/libpython", 10);
}

static int search_map(const struct procfs_map *map, void *arg)
{
	struct runtime_search *s = arg;
	_cleanup_close_ int fd = -1;
	const struct image *image;

	if (map->ino && !map->offset)
		s->base = map->start;
	if (!map->executable || !map->ino || (map->ino == s->last_ino && map->dev == s->last_dev))
		return 0;
	if (s->wants_libpython && !is_libpython(map->path))
		return 0;
	s->last_ino = map->ino;
	s->last_dev = map->dev;
	fd = procfs_open_map(s->pid, map);
	if (fd < 0 || images_get(s->images, fd, &image) < 0 || image->presence != CPYTHON_DEFINED || image == s->but)
		return 0;
	if (elf_image_bias(image->elf, map->offset, map->start, true, &s->bias) < 0)
		return 0;
	s->found = image;
	s->path = strdup(map->path);
	return 1;
}

void program_note_process(struct program *p, pid_t pid)
{
	run_deinit(&p->run);
	run_note_process(&p->run, pid);
}

int program_find_runtime(struct program *p, pid_t pid, struct images *images)
{
	struct runtime_search s = {.pid = pid, .images = images};
	int r = 0;

	/* Of a program that needs a libpython the other files need not be looked at. */
	s.wants_libpython = p->exe && p->exe->presence == CPYTHON_LINKED;
	if (s.wants_libpython)
		r = procfs_each_map(pid, search_map, &s);
	if (!s.found && r >= 0) {
		s = (struct runtime_search){.pid = pid, .images = images};
		r = procfs_each_map(pid, search_map, &s);
	}
	if (r < 0)
		return r;
	if (!s.found)
		return -ENOENT;
	p->runtime = s.found;
	p->runtime_bias = s.bias;
	p->runtime_base = s.base;
	if (p->run.pid != pid)
		program_note_process(p, pid);
	free(p->run.library);
	p->run.library = s.path;
	p->run.hexversion = p->runtime->py.hexversion;
	return 0;
}

bool program_seccomp_allows(pid_t pid, const struct images *images)
{
	const struct procfs_status *ours = &images->ours;
	struct procfs_status theirs;

	if (procfs_status(pid, &theirs) < 0 || !ours->tgid)
		return false;
	return theirs.seccomp == ours->seccomp && theirs.seccomp_filters == ours->seccomp_filters;
}

const struct image *program_exe_image(pid_t pid, struct images *images)
{
	_cleanup_close_ int fd = procfs_open_exe(pid);
	const struct image *image;

	return fd >= 0 && images_get(images, fd, &image) == 0 ? image : NULL;
}

const char *program_reason(const struct program *p)
{
	if (p->runtime->error < 0)
		return p->runtime->reason;
	return NULL;
}

int program_find_another(struct program *p, const struct remote *r, struct images *images)
{
	struct runtime_search s = {.pid = r->tid, .images = images, .but = p->runtime};
	int ret = procfs_each_map(r->tid, search_map, &s);

	if (s.found)
		p->other = s.found;
	free(s.path);
	return ret < 0 ? ret : 0;
}

int program_find(struct program *p, pid_t pid, struct images *images)
{
	int ret = program_find_runtime(p, pid, images);

	if (ret < 0)
		return ret;
	p->refusal = program_reason(p)				  ? program_reason(p)
		     : !p->runtime->api[API_PyEval_RestoreThread] ? "it does not export PyEval_RestoreThread()"
		     : !program_seccomp_allows(pid, images)	  ? PROGRAM_BEHIND_A_FILTER
								  : NULL;
	return p->refusal ? -ENOTSUP : 0;
}
