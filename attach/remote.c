#include "attach/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define RANGES_AT_ONCE 256 /* of the 1024 that the kernel takes: they lie on the stack */

static int error_of(int err)
{
	switch (err) {
	case ESRCH:
	case ENOENT:
		return -ESRCH;
	case EPERM:
	case EACCES:
		return -EPERM;
	default:
		return -EFAULT;
	}
}

static int open_memory(struct remote *r, pid_t tid, int mode)
{
	char path[64];

	r->tid = tid;
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	r->mem_fd = open(path, mode | O_CLOEXEC);
	return r->mem_fd < 0 ? error_of(errno) : 0;
}

int remote_open(struct remote *r, pid_t tid)
{
	return open_memory(r, tid, O_RDWR);
}

int remote_open_readonly(struct remote *r, pid_t tid)
{
	return open_memory(r, tid, O_RDONLY);
}

void remote_close(struct remote *r)
{
	if (r->mem_fd >= 0)
		close(r->mem_fd);
	r->mem_fd = -1;
}

ssize_t remote_read_some(const struct remote *r, raddr addr, void *buf, size_t len)
{
	struct iovec local = {buf, len}, there = {(void *)(uintptr_t)addr, len};
	ssize_t n = process_vm_readv(r->tid, &local, 1, &there, 1, 0);

	/* A leader that has ended has no memory, its other threads do; some sandboxes forbid the call. */
	if (n < 0 && errno != EFAULT && r->mem_fd >= 0)
		n = pread(r->mem_fd, buf, len, (off_t)addr);
	if (n < 0)
		return error_of(errno);
	return n ? n : -ESRCH;
}

int remote_read(const struct remote *r, raddr addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = remote_read_some(r, addr + done, (char *)buf + done, len - done);

		if (n < 0)
			return (int)n;
		done += (size_t)n;
	}
	return 0;
}

/* A word at a time, for kernels that do not let /proc/PID/mem write to read-only pages. */
static int poke(const struct remote *r, raddr addr, const char *buf, size_t len)
{
	while (len) {
		raddr word = addr & ~(raddr)7;
		size_t at = addr - word, n = 8 - at < len ? 8 - at : len;
		char bytes[8];
		uint64_t value;
		int ret;

		ret = remote_read(r, word, bytes, 8);
		if (ret < 0)
			return ret;
		memcpy(bytes + at, buf, n);
		memcpy(&value, bytes, 8);
		if (ptrace(PTRACE_POKEDATA, r->tid, word, value) < 0)
			return error_of(errno);
		addr += n;
		buf += n;
		len -= n;
	}
	return 0;
}

int remote_write(const struct remote *r, raddr addr, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(r->mem_fd, (const char *)buf + done, len - done, (off_t)(addr + done));

		if (n <= 0)
			return poke(r, addr + done, (const char *)buf + done, len - done);
		done += (size_t)n;
	}
	return 0;
}

/* How many of the ranges @done bytes fill. */
static size_t whole(const struct mem_range *ranges, size_t n, size_t done)
{
	size_t i = 0;

	while (i < n && done >= ranges[i].len)
		done -= ranges[i++].len;
	return i;
}

/* One after the other, where process_vm_readv(2) may not be used. */
static ssize_t read_singly(const struct remote *r, const struct mem_range *ranges, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int ret = remote_read(r, ranges[i].addr, ranges[i].buf, ranges[i].len);

		if (ret == -EFAULT)
			break;
		if (ret < 0)
			return ret;
	}
	return (ssize_t)i;
}

/* 0 bytes of the first page of an address space that is gone. */
static bool is_gone(const struct remote *r)
{
	char byte;

	return r->mem_fd >= 0 && pread(r->mem_fd, &byte, 1, 0) == 0;
}

ssize_t remote_read_ranges(const struct remote *r, const struct mem_range *ranges, size_t n)
{
	struct iovec local[RANGES_AT_ONCE], there[RANGES_AT_ONCE];
	size_t done = 0;

	while (done < n) {
		size_t some = n - done < RANGES_AT_ONCE ? n - done : RANGES_AT_ONCE, got;
		ssize_t bytes;

		for (size_t i = 0; i < some; i++) {
			local[i] = (struct iovec){ranges[done + i].buf, ranges[done + i].len};
			there[i] = (struct iovec){(void *)(uintptr_t)ranges[done + i].addr, ranges[done + i].len};
		}
		bytes = process_vm_readv(r->tid, local, some, there, some, 0);
		if (bytes < 0 && errno == EFAULT)
			return done || !is_gone(r) ? (ssize_t)done : -ESRCH;
		if (bytes < 0) {
			ssize_t rest = read_singly(r, ranges + done, n - done);

			return rest < 0 ? rest : (ssize_t)done + rest;
		}
		got = whole(ranges + done, some, (size_t)bytes);
		done += got;
		if (got < some)
			break;
	}
	return (ssize_t)done;
}

static ssize_t read_for_reader(void *arg, const struct mem_range *ranges, size_t n)
{
	return remote_read_ranges(arg, ranges, n);
}

struct mem_reader remote_reader(struct remote *r)
{
	return (struct mem_reader){read_for_reader, r};
}
