/**
 * The memory of another process. Addresses are `raddr`, never pointers.
 *
 * Reads go through process_vm_readv(2); writes through /proc/PID/mem, which also reaches pages that are not writable
 * there (the kernel makes a private copy), or PTRACE_POKEDATA where the kernel forbids that. A write needs the thread
 * stopped by us only in the last case.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/mem.h"

typedef uint64_t raddr;

/** All zeros but `mem_fd` -1 is closed. `tid` is a live thread of the process. */
struct remote {
	pid_t tid;
	int mem_fd;
};

/** Open the memory that @p tid has now (an exec gives it another). -ESRCH, -EPERM. */
int remote_open(struct remote *r, pid_t tid) must_check;
/** The same, but remote_write() will fail: for who must not change anything. */
int remote_open_readonly(struct remote *r, pid_t tid) must_check;
void remote_close(struct remote *r);
#define _cleanup_remote_ _cleanup_(remote_close)

/** Read exactly @p len bytes. -EFAULT when not all of them can be read, -ESRCH when the process is gone, -EPERM. */
int remote_read(const struct remote *r, raddr addr, void *buf, size_t len) must_check;

/** Read up to @p len bytes; returns how many, or an error as remote_read() when there are none. */
ssize_t remote_read_some(const struct remote *r, raddr addr, void *buf, size_t len) must_check;

/** Write exactly @p len bytes, whatever the protection of the pages. Errors as remote_read(). */
int remote_write(const struct remote *r, raddr addr, const void *buf, size_t len) must_check;

/** Read several ranges, as struct mem_reader has it. */
ssize_t remote_read_ranges(const struct remote *r, const struct mem_range *ranges, size_t n) must_check;

/** A reader on @p r, which must stay. */
struct mem_reader remote_reader(struct remote *r);
