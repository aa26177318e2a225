/*
 * The writers of profiles under load: make a profile of so many samples of a program that nobody wrote, and write it in
 * every format to a directory; CPU time, size and memory of each step on standard output.
 *
 *     profile_writers SAMPLES STACKS DIRECTORY [FORMAT...]
 *
 * STACKS: how many different ones there are, of 6 to 24 frames; 0: any that come about, the worst case.
 */
#include "sample/output.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define THREADS 8
#define PERIOD 1000000

static const char *const files[] = {
	"/srv/shop/app.py",
	"/srv/shop/orders/views.py",
	"/srv/shop/orders/models.py",
	"/srv/shop/catalog/search.py",
	"/usr/lib/python3/dist-packages/django/core/handlers/base.py",
	"/usr/lib/python3/dist-packages/django/db/models/query.py",
	"/usr/lib/python3/dist-packages/django/template/base.py",
	"/usr/lib/python3.12/json/encoder.py",
	"/usr/lib/python3.12/socketserver.py",
	"/usr/lib/python3.12/threading.py",
};

static const char *const verbs[] = {"get", "render", "find", "load", "encode", "resolve", "iterate", "compile"};

static uint64_t state = 88172645463325252;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

/* Small numbers are more likely: programs have hot paths. */
static uint32_t draw_hot(uint32_t below)
{
	return draw(draw(draw(below) + 1) + 1);
}

static void make_name(char name[64], uint32_t kind)
{
	snprintf(name, 64, "%s_%u", verbs[kind % 8], kind / 8 % 12);
}

static size_t make_stack(struct profile_frame *frames, char names[][64], uint32_t thread)
{
	size_t n = 6 + draw_hot(18);
	uint32_t path = thread % 3;

	for (size_t i = 0; i < n; i++) {
		uint32_t choice = draw_hot(4), depth = (uint32_t)i;

		path = path * 5 + choice;
		make_name(names[n - 1 - i], path % 96);
		frames[n - 1 - i] = (struct profile_frame){.function = names[n - 1 - i],
							   .file = files[(path / 3 + depth) % 10],
							   .line = 10 + path % 300 + draw_hot(3)};
	}
	if (draw(4) == 0)
		frames[0] = (struct profile_frame){"_PyEval_EvalFrameDefault", "/usr/lib/libpython3.12.so.1.0", 0,
						   PROFILE_FRAME_NATIVE};
	return n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static int fill(struct profile *p, uint64_t samples, uint32_t stacks)
{
	static char names[64][64];
	struct profile_frame frames[64];
	int r = 0;

	for (uint64_t i = 0; i < samples && r == 0; i++) {
		uint32_t thread = (uint32_t)(i % THREADS);
		uint64_t kept = state;
		size_t n;

		if (stacks)
			state = 88172645463325252 + UINT64_C(0x9e3779b97f4a7c15) * draw_hot(stacks);
		n = make_stack(frames, names, thread);
		state = stacks ? kept * 6364136223846793005 + 1442695040888963407 : state;
		unsigned flags = thread < 2 ? PROFILE_ON_CPU | (thread == 0 ? PROFILE_GIL : 0) : PROFILE_IDLE;

		r = profile_add(p, 100, (pid_t)(100 + thread), thread ? "Worker" : "MainThread", "python -m shop",
				i / THREADS * PERIOD, PERIOD, flags, frames, n);
	}
	return r;
}

static int write_one(const struct profile *p, const struct profile_format *format, const char *directory)
{
	const struct profile_view view = {.threads = getenv("THREADS") != NULL};
	_cleanup_free_ char *path = NULL;
	struct stat st = {0};
	double start = now();
	int r;

	if (asprintf(&path, "%s/profile.%s.%s", directory, format->name, format->suffix) < 0)
		return -ENOMEM;
	r = profile_write(p, format, &view, path);
	if (r == 0 && stat(path, &st) < 0)
		r = -errno;
	printf("%-12s %6.2f s  %8.2f MB  peak %ld MB\n", format->name, now() - start, (double)st.st_size / 1e6,
	       peak_kib() / 1024);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_profile_ struct profile *p = NULL;
	const struct profile_options options = {.keep_order = true};
	double start = now();
	uint64_t samples;
	int r;

	if (argc < 4)
		return 2;
	samples = strtoull(argv[1], NULL, 10);
	r = profile_new(&options, &p);
	if (r == 0)
		r = fill(p, samples, (uint32_t)strtoul(argv[2], NULL, 10));
	if (r == 0)
		r = profile_set_info(p, &(struct profile_info){.rate = 1000,
							       .started_unix_ns = UINT64_C(1700000000000000000),
							       .duration_ns = samples / THREADS * PERIOD,
							       .what = "python -m shop"});
	printf("%-12s %6.2f s  %u nodes, %zu runs, peak %ld MB\n", "add", now() - start, r == 0 ? p->n_nodes : 0,
	       r == 0 ? p->n_runs : 0, peak_kib() / 1024);
	for (size_t i = 0; profile_formats[i] && r == 0; i++) {
		bool wanted = argc == 4;

		for (int a = 4; a < argc; a++)
			wanted |= strcmp(argv[a], profile_formats[i]->name) == 0;
		if (wanted)
			r = write_one(p, profile_formats[i], argv[3]);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", strerror(-r));
	return r < 0;
}
