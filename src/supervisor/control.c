#include "supervisor/control.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define PATIENCE 10 /* seconds that a client has for its request */

void control_name_of_pid(pid_t supervisor, char name[CONTROL_NAME_MAX])
{
	snprintf(name, CONTROL_NAME_MAX, "pycov-trace/%d", supervisor);
}

/* The file need not exist, and is another one after each save: its directory and its name tell it. */
int control_name_of_file(const struct datafile *file, char name[CONTROL_NAME_MAX])
{
	uint64_t hash = 0xcbf29ce484222325ull;
	struct stat st;

	if (fstat(file->dirfd, &st) < 0)
		return -errno;
	for (const char *p = file->name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ull;
	snprintf(name, CONTROL_NAME_MAX, "pycov-trace/%llx-%llx-%016llx", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino, (unsigned long long)hash);
	return 0;
}

static socklen_t address_of(const char *name, struct sockaddr_un *ret)
{
	size_t n = strnlen(name, CONTROL_NAME_MAX);

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path + 1, name, n); /* sun_path[0] is 0: abstract */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

int control_listen(const char *name)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	socklen_t len = address_of(name, &address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 16) < 0)
		return -errno;
	return take_fd(fd);
}

/* Is at the other end ourselves, root, or user @other? */
static bool is_peer(int fd, uid_t other)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0 || peer.uid == other);
}

int control_accept(int listener, char request[CONTROL_TEXT_MAX])
{
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct timeval patience = {.tv_sec = PATIENCE};
	ssize_t n;

	if (fd < 0 || !is_peer(fd, geteuid()))
		return -EAGAIN;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(fd, request, CONTROL_TEXT_MAX - 1, 0);
	if (n <= 0)
		return -EAGAIN;
	request[n] = 0;
	return take_fd(fd);
}

void control_answer(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text) + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* What another user says must not do anything to a terminal. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int control_ask(const char *name, uid_t owner, const char *request, char answer[CONTROL_TEXT_MAX])
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t len = address_of(name, &address);
	ssize_t n;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) < 0)
		return -errno;
	/* The name might be another user's. */
	if (!is_peer(fd, geteuid() == 0 ? owner : geteuid()))
		return -EPERM;
	/* It may have hung up on us already. */
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return errno == EPIPE || errno == ECONNRESET ? -EPERM : -errno;
	n = recv(fd, answer, CONTROL_TEXT_MAX - 1, 0);
	if (n <= 0)
		return -EPERM; /* it hung up on us */
	answer[n] = 0;
	make_plain(answer);
	return 0;
}
