#include "report/compile.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"

#define SECONDS_MAX 60
#define BYTES_MAX (UINT64_C(4) << 30)
#define FAILURES_MAX 5
#define NOT_PYTHON UINT32_MAX
#define LINES_MAX (UINT32_C(1) << 27)

/* Of each request, a length and a text, the answer: how many lines, and the lines. Runs on Python 3.6 and later. */
static const char program[] =
	"import sys, struct, warnings, dis\n"
	"warnings.simplefilter('ignore')\n"
	"sys.setrecursionlimit(10000)\n"
	"def lines_of(code):\n"
	"    found, todo = set(), [code]\n"
	"    while todo:\n"
	"        code = todo.pop()\n"
	"        todo += [c for c in code.co_consts if isinstance(c, type(code))]\n"
	"        if code.co_name != '__annotate__':\n"
	"            table = code.co_lines() if hasattr(code, 'co_lines') else dis.findlinestarts(code)\n"
	"            found.update(row[-1] for row in table)\n"
	"    return sorted(line for line in found if line)\n"
	"while True:\n"
	"    head = sys.stdin.buffer.read(4)\n"
	"    if len(head) < 4:\n"
	"        break\n"
	"    text = sys.stdin.buffer.read(struct.unpack('<I', head)[0])\n"
	"    try:\n"
	"        lines = lines_of(compile(text.decode(), '<source>', 'exec', dont_inherit=True))\n"
	"        answer = struct.pack('<%dI' % (len(lines) + 1), len(lines), *lines)\n"
	"    except (SyntaxError, ValueError):\n"
	"        answer = struct.pack('<I', 0xffffffff)\n"
	"    sys.stdout.buffer.write(answer)\n"
	"    sys.stdout.buffer.flush()\n";

struct compiler {
	const char *python;
	pid_t pid; /* 0: none runs */
	int fd;
	int failures;
};

int compiler_new(const char *python, struct compiler **ret)
{
	struct compiler *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->python = python;
	c->fd = -1;
	*ret = c;
	return 0;
}

static void stop(struct compiler *c)
{
	if (!c->pid)
		return;
	close(c->fd);
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	c->fd = -1;
}

void compiler_free(struct compiler *compiler)
{
	if (!compiler)
		return;
	stop(compiler);
	free(compiler);
}

static void run(const char *python, int fd)
{
	struct rlimit memory = {BYTES_MAX, BYTES_MAX}, core = {0, 0};
	char *const argv[] = {(char *)python, (char *)"-I", (char *)"-S",    (char *)"-E", (char *)"-X",
			      (char *)"utf8", (char *)"-c", (char *)program, NULL};

	if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || !freopen("/dev/null", "w", stderr))
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_CORE, &core);
	execvp(python, argv);
	_exit(127);
}

static int start(struct compiler *c)
{
	const struct timeval limit = {.tv_sec = SECONDS_MAX};
	int pair[2];

	if (c->pid)
		return 0;
	if (!*c->python || c->failures >= FAILURES_MAX)
		return -ENOENT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	c->pid = fork();
	if (c->pid == 0)
		run(c->python, pair[1]);
	close(pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		close(pair[0]);
		return -errno;
	}
	c->fd = pair[0];
	return 0;
}

static int send_all(struct compiler *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -EIO;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static int receive_all(struct compiler *c, void *bytes, size_t n)
{
	char *p = bytes;

	while (n) {
		ssize_t got = recv(c->fd, p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int receive_lines(struct compiler *c, uint32_t n, struct lineset *lines)
{
	uint32_t buf[1024];

	while (n) {
		uint32_t part = n < ARRAY_SIZE(buf) ? n : (uint32_t)ARRAY_SIZE(buf);

		if (receive_all(c, buf, part * sizeof(*buf)) < 0)
			return -EIO;
		for (uint32_t i = 0; i < part; i++) {
			int r = buf[i] && buf[i] <= LINESET_MAX ? lineset_add(lines, buf[i]) : 0;

			if (r < 0)
				return r;
		}
		n -= part;
	}
	return 0;
}

static int ask(struct compiler *c, const struct source *source, struct lineset *lines)
{
	uint32_t size = (uint32_t)source->size, n;

	if (send_all(c, &size, sizeof(size)) < 0 || send_all(c, source->text, size) < 0 ||
	    receive_all(c, &n, sizeof(n)) < 0)
		return -EIO;
	if (n == NOT_PYTHON)
		return -EBADMSG;
	return n > LINES_MAX ? -EIO : receive_lines(c, n, lines);
}

int compiler_lines(struct compiler *compiler, const struct source *source, struct lineset *lines)
{
	int r = start(compiler);

	if (r < 0)
		return r == -ENOENT ? r : -EIO;
	r = ask(compiler, source, lines);
	if (r < 0 && r != -EBADMSG) {
		stop(compiler);
		if (++compiler->failures == 1)
			log_debug("%s did not compile a file", compiler->python);
	} else {
		compiler->failures = 0;
	}
	return r;
}
