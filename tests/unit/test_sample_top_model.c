#include "sample/top_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static void add(struct profile *p, pid_t pid, uint64_t ns, unsigned flags, const char *inner, const char *outer)
{
	const struct profile_frame frames[] = {{inner, "/srv/a.py", 2, 0}, {outer, "/srv/a.py", 1, 0}};

	assert_int_equal(profile_add(p, pid, pid, NULL, NULL, 0, ns, flags, frames, outer ? 2 : 1), 0);
}

static const char *name(const struct top_model *m, size_t row)
{
	const struct profile *p = m->profile;

	return profile_function_name(p, p->frames[m->rows[row].frame].function);
}

static void check(const struct top_model *m, size_t row, const char *function, double own, double total, double own_s,
		  double total_s)
{
	const double *values = m->rows[row].values;

	assert_true(row < m->n_rows);
	assert_string_equal(name(m, row), function);
	assert_float_equal(values[TOP_OWN], own, 1e-6);
	assert_float_equal(values[TOP_TOTAL], total, 1e-6);
	assert_float_equal(values[TOP_OWN_SECONDS], own_s, 1e-6);
	assert_float_equal(values[TOP_TOTAL_SECONDS], total_s, 1e-6);
}

static void test_intervals(void **state)
{
	_cleanup_profile_ struct profile *p;
	struct top_model m;

	assert_int_equal(profile_new(NULL, &p), 0);
	top_model_init(&m, p, 100 * SECOND);
	assert_int_equal(top_model_update(&m, 100 * SECOND), 0);
	assert_int_equal(m.n_rows, 0);

	add(p, 1, SECOND / 2, PROFILE_ON_CPU | PROFILE_GIL, "f", "main");
	add(p, 1, SECOND / 4, PROFILE_IDLE, "main", NULL);
	assert_int_equal(top_model_update(&m, 101 * SECOND), 0);
	assert_int_equal(m.n_rows, 2);
	check(&m, 0, "f", 50, 50, 0.5, 0.5);
	check(&m, 1, "main", 25, 75, 0.25, 0.75);
	assert_float_equal(m.shares.cpu, 50, 1e-6);
	assert_float_equal(m.shares.gil, 50, 1e-6);
	assert_float_equal(m.shares.idle, 25, 1e-6);

	/* Two seconds in which another function ran, in two processes at once. */
	add(p, 1, 2 * SECOND, PROFILE_ON_CPU, "g", "main");
	add(p, 2, 2 * SECOND, PROFILE_ON_CPU, "g", "main");
	assert_int_equal(top_model_update(&m, 103 * SECOND), 0);
	check(&m, 0, "g", 200, 200, 4, 4);
	check(&m, 1, "f", 0, 0, 0.5, 0.5);
	check(&m, 2, "main", 0, 200, 0.25, 4.75);
	assert_float_equal(m.shares.cpu, 200, 1e-6);
	assert_int_equal(m.n_processes, 2);
	assert_float_equal(m.processes[0].shares.cpu, 100, 1e-6);
	assert_float_equal(m.seconds, 3, 1e-6);

	top_model_sort(&m, TOP_TOTAL_SECONDS);
	check(&m, 0, "main", 0, 200, 0.25, 4.75);

	/* From here on seconds begin anew. */
	assert_int_equal(top_model_reset(&m, 104 * SECOND), 0);
	assert_int_equal(m.n_rows, 0);
	add(p, 1, SECOND / 2, 0, "f", NULL);
	assert_int_equal(top_model_update(&m, 105 * SECOND), 0);
	assert_int_equal(m.n_rows, 1);
	check(&m, 0, "f", 50, 50, 0.5, 0.5);
	assert_int_equal(m.n_processes, 1);
	top_model_deinit(&m);
}

static void test_lines(void **state)
{
	_cleanup_profile_ struct profile *p;
	struct top_model m;

	assert_int_equal(profile_new(NULL, &p), 0);
	top_model_init(&m, p, SECOND);
	add(p, 1, SECOND, 0, "main", "main");
	assert_int_equal(top_model_update(&m, 2 * SECOND), 0);
	assert_int_equal(m.n_rows, 1);
	check(&m, 0, "main", 100, 100, 1, 1);

	assert_int_equal(top_model_set_lines(&m, true, 3 * SECOND), 0);
	assert_int_equal(m.n_rows, 2);
	check(&m, 0, "main", 0, 0, 1, 1);
	assert_int_equal(p->frames[m.rows[0].frame].line, 2);
	check(&m, 1, "main", 0, 0, 0, 1);
	add(p, 1, SECOND, 0, "main", NULL);
	assert_int_equal(top_model_update(&m, 4 * SECOND), 0);
	check(&m, 0, "main", 100, 100, 2, 2);
	check(&m, 1, "main", 0, 0, 0, 1);
	top_model_deinit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
