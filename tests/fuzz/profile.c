/*
 * Profiles of any samples with any names, under any limits, and what every writer makes of them. The input: limits, the
 * view, then samples, each with its frames; names are runs of bytes up to a NUL.
 */
#include <ctype.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "sample/output.h"

#define FRAMES_MAX 20
#define NAME_MAX_ 200

static void check(bool holds)
{
	if (!holds)
		abort();
}

static const char *name(struct fuzz_input *in, char buf[NAME_MAX_])
{
	size_t n = 0;

	for (uint8_t byte; (byte = fuzz_byte(in)) && n < NAME_MAX_ - 1;)
		buf[n++] = (char)byte;
	buf[n] = '\0';
	return n == 1 && buf[0] == 1 ? NULL : buf;
}

static void sample(struct fuzz_input *in, struct profile *p, uint64_t *time)
{
	static char text[FRAMES_MAX * 2 + 2][NAME_MAX_];
	struct profile_frame frames[FRAMES_MAX];
	uint8_t who = fuzz_byte(in), flags = fuzz_byte(in), n = fuzz_byte(in) % FRAMES_MAX;
	const char *thread = flags & 16 ? name(in, text[0]) : NULL, *process = flags & 32 ? name(in, text[1]) : NULL;
	uint64_t weight = flags & 64 ? fuzz_word(in) : 1000;

	*time += flags & 128 ? fuzz_word(in) * UINT64_C(0x10001) : 1000;
	for (int i = 0; i < n; i++) {
		const char *function = name(in, text[2 + 2 * i]), *file = name(in, text[3 + 2 * i]);

		frames[i] = (struct profile_frame){function, file, fuzz_word(in), fuzz_byte(in)};
	}
	check(profile_add(p, who & 3, who >> 2, thread, process, *time, weight, flags & 15, frames, n) == 0);
}

static struct profile *profile(struct fuzz_input *in)
{
	struct profile_options options = {.keep_order = true};
	struct profile_info info = {0};
	char what[NAME_MAX_];
	struct profile *p;
	uint64_t time = 0;

	options.max_nodes = fuzz_byte(in);
	options.max_frames = fuzz_byte(in);
	options.max_threads = fuzz_byte(in);
	options.max_processes = fuzz_byte(in);
	options.max_runs = fuzz_byte(in);
	options.max_string_bytes = fuzz_byte(in) * 100u;
	check(profile_new(&options, &p) == 0);
	info.rate = fuzz_byte(in);
	info.started_ns = fuzz_byte(in) * UINT64_C(100000);
	info.what = name(in, what);
	check(profile_set_info(p, &info) == 0);
	while (in->size)
		sample(in, p, &time);
	return p;
}

/* What holds however many samples there were, and whatever the limits. */
static void check_profile(const struct profile *p)
{
	uint64_t samples = 0, by_thread = 0;

	for (uint32_t i = 0; i < p->n_nodes; i++) {
		check(p->nodes[i].parent == PROFILE_NONE || p->nodes[i].parent < i);
		samples += p->nodes[i].own.samples;
	}
	for (uint32_t i = 0; i < p->n_threads; i++) {
		const struct profile_thread *t = &p->threads[i];

		by_thread += t->samples;
		for (size_t r = 1; r < t->n_runs; r++)
			check(t->runs[r - 1].time_ns <= t->runs[r].time_ns);
	}
	check(samples == p->counts.samples && by_thread == samples);
	check(p->n_runs <= p->options.max_runs);
}

static void check_text(const char *text, size_t size)
{
	check(strlen(text) == size && utf8_valid(text));
	for (size_t i = 0; i < size; i++)
		check((unsigned char)text[i] >= 0x20 || text[i] == '\n' || text[i] == '\t');
}

static void check_json(const char *text, size_t size)
{
	yajl_handle parser = yajl_alloc(NULL, NULL, NULL);

	check(yajl_parse(parser, (const unsigned char *)text, size) == yajl_status_ok);
	check(yajl_complete_parse(parser) == yajl_status_ok);
	yajl_free(parser);
}

static void check_folded(const char *text, uint64_t samples)
{
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		const char *end = strchr(line, '\n');

		check(end);
		while (isdigit(end[-1]))
			end--;
		check(end[-1] == ' ');
		samples -= strtoull(end, NULL, 10);
	}
	check(samples == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t flags = fuzz_byte(&in);
	const struct profile_view view = {.threads = flags & 1, .functions = flags & 2, .full_filenames = flags & 4};
	struct profile *p = profile(&in);
	struct profile_source_line *lines;
	size_t n;

	check_profile(p);
	for (size_t i = 0; profile_formats[i]; i++) {
		char *text = NULL;
		FILE *f = open_memstream(&text, &n);

		check(f && profile_formats[i]->write(p, &view, f) == 0 && fclose(f) == 0);
		if (!profile_formats[i]->binary)
			check_text(text, n);
		if (strstr(profile_formats[i]->suffix, "json"))
			check_json(text, n);
		if (strcmp(profile_formats[i]->name, "folded") == 0)
			check_folded(text, p->counts.samples);
		free(text);
	}
	check(profile_source_lines(p, &lines, &n) == 0);
	free(lines);
	profile_free(p);
	return 0;
}
