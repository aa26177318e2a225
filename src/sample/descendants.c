#include "sample/descendants.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "attach/procfs.h"
#include "attach/threads.h"

#define SCAN_MIN_NS UINT64_C(1000000)
#define FULL_NS UINT64_C(100000000)
/* Looking takes at most this part of the time; of a command that is ours, nothing shall be missed. */
#define SCAN_SHARE 250
#define SCAN_SHARE_OWN 50
#define WAIT_FIRST_NS UINT64_C(5000000)
#define WAIT_MAX_NS UINT64_C(1000000000)

void descendants_deinit(struct descendants *d)
{
	free(d->items);
	births_close(&d->births);
	*d = (struct descendants){0};
}

int descendants_add(struct descendants *d, pid_t pid)
{
	struct descendant *items;

	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].pid == pid)
			return 0;
	if (d->n >= DESCENDANTS_MAX)
		return 0;
	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 16;

		items = realloc(d->items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		d->items = items;
		d->room = room;
	}
	d->items[d->n++] = (struct descendant){.pid = pid};
	return 0;
}

void descendants_drop(struct descendants *d, pid_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].pid != pid)
			d->items[n++] = d->items[i];
	d->n = n;
}

void descendant_postpone(struct descendant *item, uint64_t now_ns)
{
	item->wait_ns = item->wait_ns ? 2 * item->wait_ns : WAIT_FIRST_NS;
	if (item->wait_ns > WAIT_MAX_NS)
		item->wait_ns = WAIT_MAX_NS;
	item->next_ns = now_ns + item->wait_ns;
}

static int on_child(pid_t child, void *arg)
{
	return descendants_add(arg, child);
}

struct scan {
	struct descendants *d;
	pid_t pid;
};

static int on_thread(pid_t tid, void *arg)
{
	struct scan *s = arg;

	return threads_each_child(s->pid, tid, on_child, s->d);
}

static bool has_ended(pid_t pid)
{
	struct procfs_status status;

	return procfs_status(pid, &status) < 0 || status.state == 'Z' || status.state == 'X';
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool own_has_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

/* To go through /proc costs as much as some samples do. */
static bool is_worth_it(struct descendants *d, uint64_t now_ns)
{
	bool births = d->children && births_since(&d->births);

	return births || now_ns >= d->full_ns || (d->own && own_has_ended(d->own));
}

void descendants_hurry(struct descendants *d)
{
	d->scan_ns = d->full_ns = 0;
}

int descendants_scan(struct descendants *d, uint64_t now_ns)
{
	uint64_t cost;
	size_t n = 0;

	if (now_ns < d->scan_ns)
		return 0;
	d->scan_ns = now_ns + SCAN_MIN_NS;
	if (!is_worth_it(d, now_ns))
		return 0;
	cost = cpu_ns();
	/* Those that are found are looked through as well: the list grows while this runs. */
	for (size_t i = 0; d->children && i < d->n; i++) {
		struct scan scan = {d, d->items[i].pid};
		int r = threads_each(scan.pid, on_thread, &scan);

		if (r == -ENOMEM)
			return r;
	}
	for (size_t i = 0; i < d->n; i++)
		if (!has_ended(d->items[i].pid))
			d->items[n++] = d->items[i];
	d->n = n;
	cost = (cpu_ns() - cost) * (d->own ? SCAN_SHARE_OWN : SCAN_SHARE);
	d->scan_ns = now_ns + (cost > SCAN_MIN_NS ? cost : SCAN_MIN_NS);
	d->full_ns = now_ns + FULL_NS;
	return 0;
}
