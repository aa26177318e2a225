/*
 * The file format of speedscope (https://www.speedscope.app/file-format-schema.json): a sampled profile for each
 * thread. It has no way to say that nothing was seen for a while but an empty stack, so gaps are those.
 */
#include "sample/output.h"

#include "output/json_out.h"
#include "sample/short_name.h"
#include "sample/summary.h"

static void put_frames(const struct profile *p, const struct profile_view *view, yajl_gen json)
{
	json_out_object(json, "shared");
	json_out_array(json, "frames");
	for (uint32_t i = 0; i < p->n_frames; i++) {
		const struct profile_line *f = &p->frames[i];

		yajl_gen_map_open(json);
		json_out_member(json, "name", profile_function_name(p, f->function));
		json_out_member(json, "file", profile_function_file(p, f->function));
		if (f->line && !view->functions)
			json_out_member_int(json, "line", f->line);
		yajl_gen_map_close(json);
	}
	yajl_gen_array_close(json);
	yajl_gen_map_close(json);
}

/* By function, the frame that stands for all of its lines is the first of them. */
static uint32_t *frame_numbers(const struct profile *p, const struct profile_view *view)
{
	uint32_t *numbers = calloc(p->n_frames + 1, sizeof(*numbers));
	_cleanup_free_ uint32_t *first = calloc(p->n_functions + 1, sizeof(*first));

	if (!numbers || !first) {
		free(numbers);
		return NULL;
	}
	for (uint32_t i = 0; i < p->n_frames; i++) {
		uint32_t *f = &first[p->frames[i].function];

		*f = *f ? *f : i + 1;
		numbers[i] = view->functions ? *f - 1 : i;
	}
	return numbers;
}

static void put_stack(const struct profile *p, const uint32_t *numbers, uint32_t node, yajl_gen json)
{
	uint32_t stack[PROFILE_DEPTH_MAX];
	unsigned n = 0;

	for (; p->nodes[node].parent != PROFILE_NONE && n < PROFILE_DEPTH_MAX; node = p->nodes[node].parent)
		stack[n++] = p->nodes[node].frame;
	yajl_gen_array_open(json);
	while (n > 0)
		json_out_int(json, numbers[stack[--n]]);
	yajl_gen_array_close(json);
}

/* Time before a run in which the thread was not seen; less than a sample stands for is none. */
static uint64_t gap_before(const struct profile_thread *t, size_t i, uint64_t end)
{
	const struct profile_run *run = &t->runs[i];
	uint64_t period = run->samples ? run->weight_ns / run->samples : 0;

	return i > 0 && run->time_ns > end && run->time_ns - end > period ? run->time_ns - end : 0;
}

static void put_samples(const struct profile *p, const struct profile_thread *t, const uint32_t *numbers, yajl_gen json)
{
	uint64_t end = 0;

	json_out_array(json, "samples");
	for (size_t i = 0; i < t->n_runs; i++) {
		uint64_t gap = gap_before(t, i, end);

		if (gap) {
			yajl_gen_array_open(json);
			yajl_gen_array_close(json);
		}
		put_stack(p, numbers, t->runs[i].node, json);
		end = (i == 0 ? t->runs[i].time_ns : end + gap) + t->runs[i].weight_ns;
	}
	yajl_gen_array_close(json);
}

/* The end of the thread's samples. */
static uint64_t put_weights(const struct profile_thread *t, yajl_gen json)
{
	uint64_t end = 0;

	json_out_array(json, "weights");
	for (size_t i = 0; i < t->n_runs; i++) {
		uint64_t gap = gap_before(t, i, end);

		if (gap)
			json_out_int(json, (int64_t)gap);
		json_out_int(json, (int64_t)t->runs[i].weight_ns);
		end = (i == 0 ? t->runs[i].time_ns : end + gap) + t->runs[i].weight_ns;
	}
	yajl_gen_array_close(json);
	return end;
}

static void put_thread(const struct profile *p, uint32_t thread, uint64_t start, const uint32_t *numbers, yajl_gen json)
{
	const struct profile_thread *t = &p->threads[thread];
	char name[16384], process[16384];
	uint64_t end;

	thread_label(name, sizeof(name), p, thread);
	yajl_gen_map_open(json);
	json_out_member(json, "type", "sampled");
	if (p->n_processes > 1) {
		char both[sizeof(name) + sizeof(process) + 4];

		process_label(process, sizeof(process), p, t->process);
		snprintf(both, sizeof(both), "%s, %s", process, name);
		json_out_member(json, "name", both);
	} else {
		json_out_member(json, "name", name);
	}
	json_out_member(json, "unit", "nanoseconds");
	json_out_member_int(json, "startValue", (int64_t)(t->runs[0].time_ns - start));
	put_samples(p, t, numbers, json);
	end = put_weights(t, json);
	json_out_member_int(json, "endValue", (int64_t)(end - start));
	yajl_gen_map_close(json);
}

static uint64_t first_time(const struct profile *p)
{
	uint64_t start = UINT64_MAX;

	for (uint32_t i = 0; i < p->n_threads; i++)
		if (p->threads[i].n_runs && p->threads[i].runs[0].time_ns < start)
			start = p->threads[i].runs[0].time_ns;
	return start;
}

int format_speedscope(const struct profile *p, const struct profile_view *view, FILE *out)
{
	_cleanup_free_ uint32_t *numbers = frame_numbers(p, view);
	_cleanup_json_ yajl_gen json = json_out_new(out, false);
	uint64_t start = first_time(p);
	char title[4096];

	if (!numbers || !json)
		return -ENOMEM;
	summary_order_title(title, sizeof(title), p, view);
	yajl_gen_map_open(json);
	json_out_member(json, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_out_member(json, "version", "0.0.1");
	json_out_member(json, "exporter", "pycov-trace " PYCOV_TRACE_VERSION);
	json_out_member(json, "name", title);
	put_frames(p, view, json);
	json_out_array(json, "profiles");
	for (uint32_t i = 0; i < p->n_threads; i++)
		if (p->threads[i].n_runs)
			put_thread(p, i, start, numbers, json);
	yajl_gen_array_close(json);
	yajl_gen_map_close(json);
	fputc('\n', out);
	return 0;
}
