#include "sample/summary.h"

#include "base/printable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t summary_title(char *buf, size_t size, const struct profile *p, const struct profile_view *view)
{
	return printable(buf, size, view->title ? view->title : p->info.what ? p->info.what : "pycov-trace");
}

size_t summary_order_title(char *buf, size_t size, const struct profile *p, const struct profile_view *view)
{
	size_t n = summary_title(buf, size, p, view), left = n < size ? size - n : 0;

	if (p->lost.merged)
		n += (size_t)snprintf(left ? buf + n : NULL, left,
				      " (in the order of time, %" PRIu64 " changes are left out)", p->lost.merged);
	return n;
}

double summary_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Text that grows in a buffer; `len` goes on when there is no more room. */
struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	size_t left = t->len < t->size ? t->size - t->len : 0;
	va_list args;

	va_start(args, fmt);
	t->len += (size_t)vsnprintf(left ? t->buf + t->len : NULL, left, fmt, args);
	va_end(args);
}

size_t summary_line(char *buf, size_t size, const struct profile *p)
{
	struct text t = {buf, size, 0};

	add(&t, "%" PRIu64 " sample%s", p->counts.samples, p->counts.samples == 1 ? "" : "s");
	if (p->info.duration_ns)
		add(&t, " in %.1f s", (double)p->info.duration_ns / 1e9);
	if (p->info.rate)
		add(&t, " (%u per second)", p->info.rate);
	if (p->n_threads > 1)
		add(&t, " of %u threads", p->n_threads);
	if (p->n_processes > 1)
		add(&t, " in %u processes", p->n_processes);
	if (p->counts.weight_ns)
		add(&t, "; %.1f %% on CPU, %.1f %% holding the GIL",
		    summary_percent(p->counts.cpu_ns, p->counts.weight_ns),
		    summary_percent(p->counts.gil_ns, p->counts.weight_ns));
	if (p->gil_wait_ns)
		add(&t, ", %.1f %% waiting for it", summary_percent(p->gil_wait_ns, p->counts.weight_ns));
	return t.len;
}

static void add_loss(struct text *t, uint64_t n, const char *what)
{
	if (n)
		add(t, "%s%" PRIu64 " %s", t->len ? "; " : "", n, what);
}

size_t summary_losses(char *buf, size_t size, const struct profile *p)
{
	struct text t = {buf, size, 0};

	if (size)
		buf[0] = '\0';
	add_loss(&t, p->info.torn, "samples dropped because the target moved while it was read");
	add_loss(&t, p->info.unread, "samples dropped because the target could not be read");
	add_loss(&t, p->info.late, "samples not taken in time");
	add_loss(&t, p->lost.deep, "stacks cut at their outer end");
	add_loss(&t, p->lost.nodes, "samples counted at a caller (too many different stacks)");
	add_loss(&t, p->lost.names, "frames without a name (too many different ones)");
	add_loss(&t, p->lost.threads, "samples in \"other threads\" (too many threads)");
	return t.len;
}

bool summary_is_poor(const struct profile *p)
{
	uint64_t lost = p->info.torn + p->info.unread + p->lost.deep + p->lost.nodes + p->lost.names + p->lost.threads;

	return lost > p->counts.samples / 100;
}

bool summary_is_torn(const struct profile *p)
{
	return p->info.torn > p->counts.samples / 20;
}
