/** What /proc/PID says. All of it is the target's to shape (names above all): bounded and checked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/remote.h"
#include "base/cleanup.h"

/** A mapping of a file. `path` is what /proc/PID/maps prints, valid during the callback. */
struct procfs_map {
	raddr start, end;
	uint64_t offset, ino;
	dev_t dev;
	bool readable, writable, executable;
	const char *path;
};

/** Call @p f for each mapping, files or not, in ascending order, until it returns non-zero, which is returned. -ESRCH. */
int procfs_each_map(pid_t pid, int (*f)(const struct procfs_map *map, void *arg), void *arg) must_check;

/** Open the program file of @p pid, or the file behind @p map: the mapped one, or -ENOENT. The caller closes it. */
int procfs_open_exe(pid_t pid) must_check;
int procfs_open_map(pid_t pid, const struct procfs_map *map) must_check;

/** A word of the auxiliary vector; 0 when absent. */
struct procfs_auxv {
	raddr entry, phdr, base, vdso;
};
int procfs_auxv(pid_t pid, struct procfs_auxv *ret) must_check;

struct procfs_status {
	pid_t tgid, ppid, tracer;
	int seccomp; /* 0, 1 strict, 2 filter */
	int seccomp_filters;
	uint64_t caught;  /* signals with a handler: bit sig - 1 */
	uint64_t pending; /* signals that wait and are not blocked: bit sig - 1 */
	char state;	  /* as in proc(5): R, S, Z, ... */
	bool is_kernel_thread;
	uid_t uid[3]; /* real, effective, saved */
	gid_t gid[3];
	uint64_t caps_permitted, caps_effective; /* bit n: capability n */
	pid_t ns_pid;				 /* its number in its own pid namespace */
	char name[32];				 /* of the program: cut at 15 bytes, any byte but newline */
};
int procfs_status(pid_t pid, struct procfs_status *ret) must_check;

/**
 * 0 if the kernel lets us read the memory of @p pid, as reading it and ptrace(2) demand alike ("Ptrace access mode
 * checking"). -EPERM, -ESRCH; -ENOENT: it has no memory (a zombie, a kernel thread).
 */
int procfs_check_access(pid_t pid) must_check;

/** True if @p pid may not be looked at even by its own user: prctl(2), PR_SET_DUMPABLE. Not to be known of root's. */
bool procfs_is_undumpable(pid_t pid);

/** True if both are in the same namespace of @p kind, as "pid", "user", "mnt"; also if that cannot be told. */
bool procfs_same_namespace(pid_t a, pid_t b, const char *kind);

/** The command line, arguments joined by spaces, at most @p size - 1 bytes; "?" when there is none. */
void procfs_cmdline(pid_t pid, char *buf, size_t size);

/** argv[0]; NULL without one. The caller frees. */
char *procfs_argv0(pid_t pid);
/** Its working directory, as it calls it; NULL if it cannot be had. The caller frees. */
char *procfs_link(pid_t pid, const char *name); /* "exe", "cwd" */
char *procfs_cwd(pid_t pid);

/** The environment that the program was started with, @p *len bytes; NULL if it cannot be had. The caller frees. */
char *procfs_environ(pid_t pid, size_t *len);
/** The value of the variable @p name in that, or NULL. */
const char *procfs_environ_find(const char *vars, size_t len, const char *name);

/**
 * An unused range of @p size bytes (whole pages) within 1 GiB of @p near, for MAP_FIXED_NOREPLACE. -ENOENT.
 */
int procfs_find_gap(pid_t pid, raddr near, size_t size, raddr *ret) must_check;
