#include "supervisor/run.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX 3000u

static char **texts(struct run *run, size_t i)
{
	char **const all[] = {&run->executable, &run->library, &run->home, &run->user_base, &run->command};

	return i < ARRAY_SIZE(all) ? all[i] : NULL;
}

void run_init(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->root_fd = run->region_fd = -1;
}

void run_deinit(struct run *run)
{
	for (size_t i = 0; texts(run, i); i++)
		free(*texts(run, i));
	cleanup_closep(&run->root_fd);
	cleanup_closep(&run->region_fd);
	run_init(run);
}

struct head {
	uint32_t id, hexversion;
	int32_t pid, ns_pid;
};

size_t run_encode(const struct run *run, unsigned char buf[RUN_MESSAGE_MAX])
{
	struct head head = {run->id, run->hexversion, run->pid, run->ns_pid};
	size_t at = sizeof(head);

	memcpy(buf, &head, sizeof(head));
	for (size_t i = 0; texts((struct run *)run, i); i++) {
		const char *text = *texts((struct run *)run, i);
		uint32_t len = text ? (uint32_t)strnlen(text, TEXT_MAX) : UINT32_MAX;

		memcpy(buf + at, &len, sizeof(len));
		at += sizeof(len);
		if (!text)
			continue;
		memcpy(buf + at, text, len);
		at += len;
	}
	return at;
}

static int decode_text(const unsigned char **p, const unsigned char *end, char **ret)
{
	uint32_t len;

	if ((size_t)(end - *p) < sizeof(len))
		return -EBADMSG;
	memcpy(&len, *p, sizeof(len));
	*p += sizeof(len);
	if (len == UINT32_MAX)
		return 0;
	if (len > (size_t)(end - *p))
		return -EBADMSG;
	*ret = strndup((const char *)*p, len);
	*p += len;
	return *ret ? 0 : -ENOMEM;
}

int run_decode(const unsigned char *buf, size_t len, struct run *ret)
{
	const unsigned char *p = buf, *end = buf + len;
	struct head head;
	int r = 0;

	run_init(ret);
	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, p, sizeof(head));
	p += sizeof(head);
	ret->id = head.id;
	ret->hexversion = head.hexversion;
	ret->pid = head.pid;
	ret->ns_pid = head.ns_pid;
	for (size_t i = 0; r == 0 && texts(ret, i); i++)
		r = decode_text(&p, end, texts(ret, i));
	if (r < 0)
		run_deinit(ret);
	return r;
}
