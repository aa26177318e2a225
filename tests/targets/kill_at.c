/*
 * Linked into pycov-trace: its supervisor kills itself at the call number $KILL_AT of those by which it touches a
 * tracee, before or (with $KILL_AFTER) after the call, and $KILL_NOTE is created. The program must not notice.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int calls;

static void count(int after)
{
	const char *at = getenv("KILL_AT"), *note = getenv("KILL_NOTE");

	calls += !after;
	if (!at || calls != atoi(at) || after != (getenv("KILL_AFTER") != NULL))
		return;
	if (note)
		close(open(note, O_WRONLY | O_CREAT, 0666));
	raise(SIGKILL);
}

long ptrace(int request, ...)
{
	long (*real)(int, ...) = (long (*)(int, ...))dlsym(RTLD_NEXT, "ptrace");
	va_list ap;
	long ret;

	va_start(ap, request);
	pid_t pid = va_arg(ap, pid_t);
	void *addr = va_arg(ap, void *), *data = va_arg(ap, void *);
	va_end(ap);
	count(0);
	ret = real(request, pid, addr, data);
	count(1);
	return ret;
}

static ssize_t write_at(const char *name, int fd, const void *buf, size_t n, off_t at)
{
	ssize_t (*real)(int, const void *, size_t, off_t) =
		(ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
	ssize_t ret;

	count(0);
	ret = real(fd, buf, n, at);
	count(1);
	return ret;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return write_at("pwrite", fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off_t at)
{
	return write_at("pwrite64", fd, buf, n, at);
}
