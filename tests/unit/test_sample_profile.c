#include "sample/profile.h"
#include "sample/profile_totals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static struct profile *new_profile(struct profile_options options)
{
	struct profile *p;

	assert_int_equal(profile_new(&options, &p), 0);
	return p;
}

/* A stack of one file: "fa:1 fb:2" is given innermost first. */
static void add(struct profile *p, pid_t tid, uint64_t ms, unsigned flags, size_t n, const struct profile_frame *frames)
{
	assert_int_equal(profile_add(p, 10, tid, "main", "app", ms * MS, MS, flags, frames, n), 0);
}

#define STACK(...)                                                                                                     \
	sizeof((struct profile_frame[]){__VA_ARGS__}) / sizeof(struct profile_frame), (struct profile_frame[])         \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}

static void test_tree(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){0});

	add(p, 11, 0, PROFILE_ON_CPU | PROFILE_GIL, STACK({"b", "m.py", 5, 0}, {"a", "m.py", 2, 0}));
	add(p, 11, 1, PROFILE_ON_CPU, STACK({"b", "m.py", 6, 0}, {"a", "m.py", 2, 0}));
	add(p, 11, 2, PROFILE_IDLE, STACK({"a", "m.py", 2, 0}));
	add(p, 12, 2, PROFILE_GIL_WAIT, STACK({"a", "m.py", 2, 0}));
	add(p, 11, 3, 0, 0, NULL);

	assert_int_equal(p->n_threads, 2);
	assert_int_equal(p->n_processes, 1);
	assert_int_equal(p->processes[0].n_threads, 2);
	assert_string_equal(p->strings[p->processes[0].name], "app");
	assert_string_equal(p->strings[p->threads[1].name], "main");
	/* a in two threads, b:5, b:6, two roots; frames: a:2, b:5, b:6 and the unknown one */
	assert_int_equal(p->n_nodes, 6);
	assert_int_equal(p->n_frames, 4);
	assert_int_equal(p->n_functions, 3);
	assert_int_equal(p->counts.samples, 5);
	assert_int_equal(p->counts.weight_ns, 5 * MS);
	assert_int_equal(p->counts.cpu_ns, 2 * MS);
	assert_int_equal(p->counts.gil_ns, 1 * MS);
	assert_int_equal(p->idle_ns, 1 * MS);
	assert_int_equal(p->gil_wait_ns, 1 * MS);
	assert_int_equal(p->nodes[p->threads[0].root].own.samples, 1);
	for (uint32_t i = 0; i < p->n_nodes; i++)
		assert_true(p->nodes[i].parent == PROFILE_NONE || p->nodes[i].parent < i);
}

static void test_source_lines(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){0});
	_cleanup_free_ struct profile_source_line *lines = NULL;
	size_t n;

	/* Line 2 of a recursive function counts once; one line of two functions is one line. */
	add(p, 11, 0, 0, STACK({"r", "m.py", 2, 0}, {"r", "m.py", 2, 0}, {"r", "m.py", 3, 0}));
	add(p, 11, 1, 0, STACK({"r", "m.py", 3, 0}, {"r", "m.py", 2, 0}, {"<lambda>", "m.py", 2, 0}));
	add(p, 11, 2, 0, STACK({"memcpy", "libc.so", 7, PROFILE_FRAME_NATIVE}, {"z", "a.py", 9, 0}));
	add(p, 11, 3, 0, STACK({"z", "a.py", 0, 0}));

	assert_int_equal(profile_source_lines(p, &lines, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(lines[0].file, "a.py");
	assert_int_equal(lines[0].line, 9);
	assert_int_equal(lines[0].own.samples, 0);
	assert_int_equal(lines[0].total.samples, 1);
	assert_string_equal(lines[1].file, "m.py");
	assert_int_equal(lines[1].line, 2);
	assert_int_equal(lines[1].own.samples, 1);
	assert_int_equal(lines[1].total.samples, 2);
	assert_int_equal(lines[2].line, 3);
	assert_int_equal(lines[2].own.samples, 1);
	assert_int_equal(lines[2].total.samples, 2);
}

static void test_order(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){.keep_order = true});
	const struct profile_thread *t;

	add(p, 11, 0, 0, STACK({"a", "m.py", 1, 0}));
	add(p, 11, 1, 0, STACK({"a", "m.py", 1, 0}));
	add(p, 11, 2, 0, STACK({"a", "m.py", 2, 0}));
	add(p, 11, 3, 0, STACK({"a", "m.py", 1, 0}));
	add(p, 11, 50, 0, STACK({"a", "m.py", 1, 0})); /* not seen for a while: not the same run */
	t = &p->threads[0];
	assert_int_equal(t->n_runs, 4);
	assert_int_equal(t->runs[0].samples, 2);
	assert_int_equal(t->runs[0].weight_ns, 2 * MS);
	assert_int_equal(t->runs[3].time_ns, 49 * MS);
	assert_int_equal(t->first_ns, 0);
	assert_int_equal(t->last_ns, 50 * MS);
}

/* Time is kept when runs are merged, and each stack's share in the mean. */
static void test_order_bounded(void **state)
{
	enum { N = 100000 };
	_cleanup_profile_ struct profile *p =
		new_profile((struct profile_options){.keep_order = true, .max_runs = 1000});
	uint64_t weight = 0, of_one = 0, before = 0;

	for (uint64_t i = 0; i < N; i++)
		add(p, 11, i, 0, STACK({"a", "m.py", 1 + (i % 4 == 0), 0}));
	assert_true(p->n_runs <= 1000);
	assert_true(p->lost.merged > 0);
	for (size_t i = 0; i < p->threads[0].n_runs; i++) {
		const struct profile_run *run = &p->threads[0].runs[i];

		assert_true(i == 0 || run->time_ns > before);
		before = run->time_ns;
		weight += run->weight_ns;
		of_one += p->frames[p->nodes[run->node].frame].line == 1 ? run->weight_ns : 0;
	}
	assert_int_equal(weight, N * MS);
	assert_true(of_one > N * MS * 60 / 100 && of_one < N * MS * 90 / 100);
	assert_int_equal(p->counts.samples, N);
}

static void test_limits(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){
		.max_nodes = 50, .max_frames = 40, .max_threads = 5, .max_processes = 3, .max_string_bytes = 3000});
	char name[16];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		add(p, 11, 0, 0, STACK({name, "m.py", 1, 0}, {"a", "m.py", 1, 0}));
	}
	assert_true(p->lost.names > 0);
	assert_int_equal(p->lost.nodes, 0);
	for (uint32_t i = 0; i < 100; i++)
		add(p, 11, 0, 0,
		    STACK({"f1", "m.py", 1, 0}, {i % 2 ? "f2" : "f3", "m.py", 1, 0},
			  {i % 3 ? "f4" : "f5", "m.py", 1, 0}, {i % 5 ? "f6" : "f7", "m.py", 1, 0}));
	assert_true(p->lost.nodes > 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(profile_add(p, 20 + i, 20 + i, NULL, "p", 0, MS, 0, NULL, 0), 0);
	assert_int_equal(p->n_processes, 4);
	assert_true(p->lost.threads >= 97);
	assert_int_equal(p->counts.samples, 400);
	assert_true(p->n_frames <= 40);
	assert_true(p->n_nodes <= 50 + 11);
}

static void test_deep(void **state)
{
	enum { N = PROFILE_DEPTH_MAX + 10 };
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){0});
	_cleanup_free_ struct profile_frame *frames = calloc(N, sizeof(*frames));
	_cleanup_free_ struct profile_source_line *lines = NULL;
	size_t n;

	for (int i = 0; i < N; i++)
		frames[i] = (struct profile_frame){"f", "m.py", 3, 0};
	add(p, 11, 0, 0, N, frames);
	assert_int_equal(p->lost.deep, 1);
	assert_int_equal(p->n_nodes, PROFILE_DEPTH_MAX + 1);
	assert_int_equal(profile_source_lines(p, &lines, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(lines[0].total.samples, 1);
}

static void test_long_names(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){0});
	_cleanup_free_ char *name = malloc(100001);

	memset(name, 'x', 100000);
	name[100000] = '\0';
	add(p, 11, 0, 0, STACK({name, NULL, 1, 0}));
	add(p, 11, 0, 0, STACK({name, NULL, 1, 0}));
	assert_int_equal(p->n_functions, 2);
	assert_int_equal(strlen(profile_function_name(p, 1)), 4096);
	assert_string_equal(profile_function_file(p, 1), "?");
}

static void test_ids(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){0});
	const struct profile_frame frame = {"f", "m.py", 3, 0};
	uint32_t id, wrong = 1000;

	assert_int_equal(profile_frame_id(p, &frame, &id), 0);
	assert_int_equal(profile_add_ids(p, 1, 1, NULL, NULL, 0, MS, 0, &id, 1), 0);
	assert_int_equal(profile_add(p, 1, 1, NULL, NULL, 0, MS, 0, &frame, 1), 0);
	assert_int_equal(profile_add_ids(p, 1, 1, NULL, NULL, 0, MS, 0, &wrong, 1), -EINVAL);
	assert_int_equal(p->n_nodes, 2);
	assert_int_equal(p->nodes[1].own.samples, 2);
}

static void test_info(void **state)
{
	_cleanup_profile_ struct profile *p = new_profile((struct profile_options){0});
	char what[] = "pid 1";

	assert_int_equal(profile_set_info(p, &(struct profile_info){.rate = 100, .what = what}), 0);
	what[0] = 'x';
	assert_string_equal(p->info.what, "pid 1");
	assert_int_equal(profile_set_info(p, &(struct profile_info){.rate = 101, .what = "b"}), 0);
	assert_int_equal(p->info.rate, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),	      cmocka_unit_test(test_source_lines), cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_bounded), cmocka_unit_test(test_limits),	   cmocka_unit_test(test_deep),
		cmocka_unit_test(test_long_names),    cmocka_unit_test(test_ids),	   cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
