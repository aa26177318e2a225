/*
 * The supervisor's end. If the keeper is killed, another one takes its place: the regions of all programs that run are
 * kept here as well, and have in them whatever ran, so that only what programs did that have ended, and was not written
 * yet, is lost.
 */
#include "supervisor/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "attach/region.h"
#include "base/log.h"
#include "supervisor/background.h"
#include "supervisor/keeper_message.h"

#define SUCCESSORS_MAX 3 /* one that we give what kills it should not go on for ever */

static bool send_once(const struct keeper *k, const struct message *m, size_t len, const int *fds, size_t n)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(void *)m, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	for (;;) {
		if (sendmsg(k->socket, &msg, MSG_NOSIGNAL) >= 0)
			return true;
		if (errno != EINTR)
			return errno != EPIPE && errno != ECONNRESET && errno != EBADF;
	}
}

static bool send_run(const struct keeper *k, const struct run *run)
{
	struct message m = {.kind = MESSAGE_ADD};
	int fds[2] = {run->region_fd, run->root_fd};

	return send_once(k, &m, MESSAGE_HEAD + run_encode(run, m.run), fds, run->root_fd >= 0 ? 2 : 1);
}

/* ------------------------------------------------------------------------------------------------------ a successor */

struct link_run {
	struct link_run *next;
	struct run run;
};

static void link_run_free(struct link_run *l)
{
	run_deinit(&l->run);
	free(l);
}

/* What the keeper has of a run, once more. Without memory or descriptors, another keeper will do without it. */
static void remember(struct keeper *k, const struct run *run)
{
	unsigned char buf[RUN_MESSAGE_MAX];
	struct link_run *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	run_init(&l->run);
	if (run_decode(buf, run_encode(run, buf), &l->run) == 0) {
		l->run.region_fd = fcntl(run->region_fd, F_DUPFD_CLOEXEC, 3);
		l->run.root_fd = run->root_fd >= 0 ? fcntl(run->root_fd, F_DUPFD_CLOEXEC, 3) : -1;
	}
	if (l->run.region_fd < 0 || (run->root_fd >= 0 && l->run.root_fd < 0))
		return link_run_free(l);
	l->next = k->runs;
	k->runs = l;
}

static void forget(struct keeper *k, uint32_t id)
{
	for (struct link_run **at = &k->runs; *at; at = &(*at)->next) {
		struct link_run *l = *at;

		if (l->run.id != id)
			continue;
		*at = l->next;
		return link_run_free(l);
	}
}

static void lose(struct keeper *k, const char *why)
{
	cleanup_closep(&k->socket);
	k->socket = -1;
	log_error("the keeper was killed: what was not written yet is lost, and what runs from now on (%s)", why);
}

/* Another keeper, which gets all runs that there are: their regions still hold what ran in them. */
bool keeper_revive(struct keeper *k)
{
	int socket;

	if (k->socket < 0 || !k->recorder)
		return false;
	if (!k->recorder->may_have_successor || k->n_successors++ >= SUCCESSORS_MAX) {
		lose(k, "there can be no other");
		return false;
	}
	socket = background_restart(k->recorder, *k->message_fd);
	if (socket < 0) {
		lose(k, strerror(-socket));
		return false;
	}
	cleanup_closep(&k->socket);
	k->socket = socket;
	log_warning("the keeper was killed; another one goes on");
	for (const struct link_run *l = k->runs; l; l = l->next)
		if (!send_run(k, &l->run))
			return false;
	return send_once(k, &(struct message){.kind = MESSAGE_ALL_TOLD}, MESSAGE_HEAD, NULL, 0);
}

void keeper_deinit(struct keeper *k)
{
	while (k->runs) {
		struct link_run *l = k->runs;

		k->runs = l->next;
		link_run_free(l);
	}
	cleanup_closep(&k->socket);
	k->socket = -1;
}

/* -------------------------------------------------------------------------------------------------- what is said */

static bool send_message(struct keeper *k, const struct message *m, size_t len)
{
	return k->socket >= 0 && (send_once(k, m, len, NULL, 0) || (keeper_revive(k) && send_once(k, m, len, NULL, 0)));
}

void keeper_add(struct keeper *k, const struct run *run)
{
	remember(k, run);
	if (k->socket >= 0 && !send_run(k, run))
		keeper_revive(k); /* which tells of this one, too */
}

/* A message without a run: its room for one is not worth clearing. */
static bool send_word(struct keeper *k, enum message_kind kind, uint32_t id, pid_t pid, bool python_ran)
{
	struct message m;

	m.kind = kind;
	m.id = id;
	m.pid = pid;
	m.python_ran = python_ran;
	return send_message(k, &m, MESSAGE_HEAD);
}

void keeper_end(struct keeper *k, uint32_t id, pid_t pid, bool last)
{
	send_word(k, last ? MESSAGE_LAST_END : MESSAGE_END, id, pid, false);
	if (last)
		forget(k, id);
}

enum agent_status keeper_status(const struct keeper *k, uint32_t id)
{
	struct region_counters c = {.status = AGENT_STATUS_NONE};

	for (const struct link_run *l = k->runs; l; l = l->next)
		if (l->run.id == id)
			region_read_counters(l->run.region_fd, &c);
	return c.status;
}

void keeper_save(struct keeper *k)
{
	send_word(k, MESSAGE_SAVE, 0, 0, false);
}

static ssize_t hear_finished(const struct keeper *k, char *answer, size_t size)
{
	ssize_t n;

	do
		n = recv(k->socket, answer, size, 0);
	while ((n < 0 && errno == EINTR) || (n > 0 && answer[0] != WORD_FINISHED && answer[0] != WORD_UNWRITTEN));
	return n;
}

bool keeper_finish(struct keeper *k, bool python_ran, char summary[CONTROL_TEXT_MAX])
{
	char answer[1 + CONTROL_TEXT_MAX];
	ssize_t n = 0;

	while (n <= 0 && send_word(k, MESSAGE_FINISH, 0, 0, python_ran)) {
		n = hear_finished(k, answer, sizeof(answer) - 1);
		if (n <= 0 && !keeper_revive(k))
			break;
	}
	answer[n > 0 ? n : 0] = 0;
	if (summary)
		snprintf(summary, CONTROL_TEXT_MAX, "%s", n > 0 ? answer + 1 : "");
	return n > 0 && answer[0] == WORD_FINISHED;
}

bool keeper_wants_reset(struct keeper *k)
{
	char word = 0;

	return recv(k->socket, &word, 1, MSG_DONTWAIT) == 1 && word == WORD_RESET;
}

void keeper_reset_done(struct keeper *k, unsigned int n_left)
{
	send_word(k, MESSAGE_RESET_DONE, n_left, 0, false);
}

void keeper_samples(struct keeper *k, uint32_t id, const char *file, const struct keeper_sample *samples, size_t n)
{
	size_t size = n * sizeof(*samples), len = strlen(file);
	struct message m;

	if (size + len > sizeof(m.run))
		return;
	m = (struct message){.kind = MESSAGE_SAMPLES, .id = id, .pid = (int32_t)n};
	memcpy(m.run, samples, size);
	memcpy(m.run + size, file, len);
	send_message(k, &m, MESSAGE_HEAD + size + len);
}
