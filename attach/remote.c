#include "attach/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

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

int remote_open(struct remote *r, pid_t tid)
{
	char path[64];

	r->tid = tid;
	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	r->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	return r->mem_fd < 0 ? error_of(errno) : 0;
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
