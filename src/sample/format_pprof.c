/*
 * pprof's profile.proto (google/pprof, proto/profile.proto), gzipped. Strings, functions and locations have the numbers
 * that they have in the profile: the string table begins with its strings, and what the format adds comes behind.
 *
 * Field numbers stand where they are used, as the schema has them.
 */
#include "sample/output.h"

#include "base/printable.h"
#include "sample/summary.h"

#include <string.h>
#include <zlib.h>

/* Bytes through deflate into a stream. */
struct gzip {
	z_stream z;
	FILE *out;
	unsigned char buf[65536];
};

static int gzip_init(struct gzip *g, FILE *out)
{
	const int window = 15 + 16; /* the largest; 16 more: with the header of gzip */

	g->out = out;
	if (deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	return 0;
}

static void gzip_run(struct gzip *g, const void *data, size_t n, int flush)
{
	g->z.next_in = (unsigned char *)data;
	g->z.avail_in = (unsigned int)n;
	do {
		g->z.next_out = g->buf;
		g->z.avail_out = sizeof(g->buf);
		deflate(&g->z, flush);
		fwrite(g->buf, 1, sizeof(g->buf) - g->z.avail_out, g->out);
	} while (g->z.avail_out == 0);
}

static void gzip_deinit(struct gzip *g)
{
	deflateEnd(&g->z);
}

/* A message that is being put together: it is preceded by its length. */
struct message {
	unsigned char *bytes;
	size_t n, allocated;
	bool failed;
};

static void message_deinit(struct message *m)
{
	free(m->bytes);
}

static void put_bytes(struct message *m, const void *bytes, size_t n)
{
	if (m->n + n > m->allocated) {
		size_t more = (m->n + n) * 2;
		unsigned char *grown = realloc(m->bytes, more);

		if (!grown) {
			m->failed = true;
			return;
		}
		m->bytes = grown;
		m->allocated = more;
	}
	memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

static size_t varint(unsigned char buf[10], uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		buf[n++] = (unsigned char)(value | 0x80);
	buf[n++] = (unsigned char)value;
	return n;
}

static void put_varint(struct message *m, uint64_t value)
{
	unsigned char buf[10];

	put_bytes(m, buf, varint(buf, value));
}

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

static void put_tag(struct message *m, unsigned field, unsigned wire)
{
	put_varint(m, field << 3 | wire);
}

/* Zero is the default, and left out. */
static void put_number(struct message *m, unsigned field, uint64_t value)
{
	if (!value)
		return;
	put_tag(m, field, WIRE_VARINT);
	put_varint(m, value);
}

static void put_length(struct message *m, unsigned field, const void *bytes, size_t n)
{
	put_tag(m, field, WIRE_LENGTH);
	put_varint(m, n);
	put_bytes(m, bytes, n);
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
	put_length(m, field, inner->bytes, inner->n);
	m->failed |= inner->failed;
}

/* A profile as it is written; the messages are used again and again. */
struct writer {
	const struct profile *p;
	const struct profile_view *view;
	struct gzip gzip;
	struct message top, inner, list, label;
	uint32_t *threads; /* by node: the thread it is of */
};

static void writer_deinit(struct writer *w)
{
	if (!w)
		return;
	gzip_deinit(&w->gzip);
	message_deinit(&w->top);
	message_deinit(&w->inner);
	message_deinit(&w->list);
	message_deinit(&w->label);
	free(w->threads);
	free(w);
}

static void writer_deinitp(struct writer **w)
{
	writer_deinit(*w);
}

static void flush_top(struct writer *w)
{
	gzip_run(&w->gzip, w->top.bytes, w->top.n, Z_NO_FLUSH);
	w->top.n = 0;
}

static void flush_inner(struct writer *w, unsigned field)
{
	put_message(&w->top, field, &w->inner);
	w->inner.n = 0;
	if (w->top.n > 65536)
		flush_top(w);
}

/* Strings behind those of the profile. */
static const char *const own_strings[] = {
	"samples", "count", "wall", "nanoseconds", "cpu", "gil", "pid", "tid", "thread",
};

enum { SAMPLES, COUNT, WALL, NANOSECONDS, CPU, GIL, PID, TID, THREAD, TITLE, LOSSES };

static uint64_t own(const struct writer *w, unsigned string)
{
	return w->p->n_strings + string;
}

static void put_string(struct writer *w, const char *text)
{
	char buf[33000];
	size_t len = printable(buf, sizeof(buf), text);

	put_length(&w->top, 6, buf, len < sizeof(buf) ? len : strlen(buf));
	if (w->top.n > 65536)
		flush_top(w);
}

static void put_strings(struct writer *w)
{
	char text[8192];

	for (uint32_t i = 0; i < w->p->n_strings; i++)
		put_string(w, w->p->strings[i]);
	for (size_t i = 0; i < ARRAY_SIZE(own_strings); i++)
		put_string(w, own_strings[i]);
	summary_title(text, sizeof(text), w->p, w->view);
	put_string(w, text);
	summary_losses(text, sizeof(text), w->p);
	put_string(w, text);
}

static void put_value_type(struct writer *w, unsigned field, unsigned type, unsigned unit)
{
	put_number(&w->inner, 1, own(w, type));
	put_number(&w->inner, 2, own(w, unit));
	flush_inner(w, field);
}

static void put_head(struct writer *w)
{
	const struct profile_info *info = &w->p->info;

	put_value_type(w, 1, SAMPLES, COUNT);
	put_value_type(w, 1, WALL, NANOSECONDS);
	put_value_type(w, 1, CPU, NANOSECONDS);
	put_value_type(w, 1, GIL, NANOSECONDS);
	put_number(&w->top, 9, info->started_unix_ns);
	put_number(&w->top, 10, info->duration_ns);
	put_value_type(w, 11, WALL, NANOSECONDS);
	put_number(&w->top, 12, info->rate ? 1000000000 / info->rate : 0);
	put_number(&w->top, 13, own(w, TITLE));
	if (summary_losses(NULL, 0, w->p))
		put_number(&w->top, 13, own(w, LOSSES));
	put_number(&w->top, 14, own(w, WALL));
}

static void put_functions(struct writer *w)
{
	for (uint32_t i = 0; i < w->p->n_functions; i++) {
		put_number(&w->inner, 1, i + 1);
		put_number(&w->inner, 2, w->p->functions[i].name);
		put_number(&w->inner, 3, w->p->functions[i].name);
		put_number(&w->inner, 4, w->p->functions[i].file);
		flush_inner(w, 5);
	}
}

static void put_locations(struct writer *w)
{
	for (uint32_t i = 0; i < w->p->n_frames; i++) {
		w->list.n = 0;
		put_number(&w->list, 1, w->p->frames[i].function + 1);
		put_number(&w->list, 2, w->view->functions ? 0 : w->p->frames[i].line);
		put_number(&w->inner, 1, i + 1);
		put_message(&w->inner, 4, &w->list);
		flush_inner(w, 4);
	}
}

static void put_label(struct writer *w, unsigned key, unsigned field, uint64_t value)
{
	w->label.n = 0;
	put_number(&w->label, 1, own(w, key));
	put_number(&w->label, field, value);
	put_message(&w->inner, 3, &w->label);
}

static void put_sample(struct writer *w, uint32_t node)
{
	const struct profile_node *nodes = w->p->nodes;
	const struct profile_counts *c = &nodes[node].own;
	const struct profile_thread *t = &w->p->threads[w->threads[node]];

	w->list.n = 0;
	for (uint32_t i = node; nodes[i].parent != PROFILE_NONE; i = nodes[i].parent)
		put_varint(&w->list, nodes[i].frame + 1);
	if (w->list.n)
		put_message(&w->inner, 1, &w->list);
	w->list.n = 0;
	put_varint(&w->list, c->samples);
	put_varint(&w->list, c->weight_ns);
	put_varint(&w->list, c->cpu_ns);
	put_varint(&w->list, c->gil_ns);
	put_message(&w->inner, 2, &w->list);
	put_label(w, PID, 3, (uint64_t)w->p->processes[t->process].pid);
	put_label(w, TID, 3, (uint64_t)t->tid);
	if (t->name)
		put_label(w, THREAD, 2, t->name);
	flush_inner(w, 2);
}

static void put_samples(struct writer *w)
{
	const struct profile *p = w->p;

	for (uint32_t i = 0; i < p->n_threads; i++)
		w->threads[p->threads[i].root] = i;
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].parent != PROFILE_NONE)
			w->threads[i] = w->threads[p->nodes[i].parent];
		if (p->nodes[i].own.samples)
			put_sample(w, i);
	}
}

int format_pprof(const struct profile *p, const struct profile_view *view, FILE *out)
{
	_cleanup_(writer_deinitp) struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->p = p;
	w->view = view;
	if (gzip_init(&w->gzip, out) < 0)
		return -ENOMEM;
	w->threads = calloc(p->n_nodes + 1, sizeof(*w->threads));
	if (!w->threads)
		return -ENOMEM;
	put_head(w);
	put_samples(w);
	put_locations(w);
	put_functions(w);
	put_strings(w);
	flush_top(w);
	gzip_run(&w->gzip, "", 0, Z_FINISH);
	return w->top.failed ? -ENOMEM : 0;
}
