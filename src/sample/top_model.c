#include "sample/top_model.h"

#include "sample/profile_totals.h"
#include "sample/short_name.h"

#include <string.h>

void top_model_init(struct top_model *model, const struct profile *p, uint64_t now_ns)
{
	*model = (struct top_model){.profile = p, .start_ns = now_ns, .before_ns = now_ns};
}

void top_model_deinit(struct top_model *model)
{
	free(model->rows);
	free(model->processes);
	free(model->base);
	free(model->before);
	free(model->processes_before);
	free(model->short_names);
	*model = (struct top_model){0};
}

static size_t n_groups(const struct top_model *model)
{
	return model->lines ? model->profile->n_frames : model->profile->n_functions;
}

static struct profile_total *totals_new(const struct top_model *model, uint32_t *group_of)
{
	const struct profile *p = model->profile;
	struct profile_total *totals = calloc(n_groups(model) + 1, sizeof(*totals));

	for (uint32_t i = 0; i < p->n_frames; i++)
		group_of[i] = model->lines ? i : p->frames[i].function;
	if (totals && profile_totals(p, group_of, n_groups(model), totals) < 0) {
		free(totals);
		return NULL;
	}
	return totals;
}

/* The numbers of a group at a time in the past: zeros, if it was not there yet. */
static struct top_past past_of(const struct top_past *past, size_t n, size_t group)
{
	return group < n ? past[group] : (struct top_past){0};
}

static double percent_of(uint64_t now, uint64_t before, double interval)
{
	return interval > 0 && now > before ? (double)(now - before) / 1e7 / interval : 0;
}

static bool make_row(const struct top_model *model, const struct profile_total *total, size_t group,
		     struct top_row *row)
{
	struct top_past base = past_of(model->base, model->n_base, group);
	struct top_past before = past_of(model->before, model->n_before, group);

	row->values[TOP_OWN] = percent_of(total->own.weight_ns, before.own_ns, model->interval);
	row->values[TOP_TOTAL] = percent_of(total->total.weight_ns, before.total_ns, model->interval);
	row->values[TOP_OWN_SECONDS] = (double)(total->own.weight_ns - base.own_ns) / 1e9;
	row->values[TOP_TOTAL_SECONDS] = (double)(total->total.weight_ns - base.total_ns) / 1e9;
	return total->total.weight_ns > base.total_ns;
}

static int compare_rows(const void *a, const void *b, void *context)
{
	const struct top_row *x = a, *y = b;
	const enum top_column *sort = context;
	/* Equals are sorted by the other columns, so that rows do not change places without a reason. */
	const enum top_column order[] = {*sort, TOP_OWN_SECONDS, TOP_TOTAL_SECONDS};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (x->values[order[i]] != y->values[order[i]])
			return x->values[order[i]] < y->values[order[i]] ? 1 : -1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

void top_model_sort(struct top_model *model, enum top_column column)
{
	model->sort = column;
	if (model->n_rows)
		qsort_r(model->rows, model->n_rows, sizeof(*model->rows), compare_rows, &model->sort);
}

static int rows_make(struct top_model *model, const struct profile_total *totals, const uint32_t *group_of)
{
	size_t n = n_groups(model);
	_cleanup_free_ uint32_t *frame_of = calloc(n + 1, sizeof(*frame_of));
	struct top_row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows || !frame_of) {
		free(rows);
		return -ENOMEM;
	}
	for (uint32_t i = model->profile->n_frames; i-- > 0;)
		frame_of[group_of[i]] = i;
	free(model->rows);
	model->rows = rows;
	model->n_rows = 0;
	for (size_t i = 0; i < n; i++) {
		rows[model->n_rows].frame = frame_of[i];
		model->n_rows += make_row(model, &totals[i], i, &rows[model->n_rows]);
	}
	top_model_sort(model, model->sort);
	return 0;
}

static struct top_past *past_new(const struct profile_total *totals, size_t n)
{
	struct top_past *past = calloc(n + 1, sizeof(*past));

	for (size_t i = 0; past && i < n; i++)
		past[i] = (struct top_past){totals[i].own.weight_ns, totals[i].total.weight_ns};
	return past;
}

/* Processes */

static struct top_shares shares(const struct top_process_past *now, const struct top_process_past *before,
				double interval)
{
	return (struct top_shares){
		.seen = percent_of(now->seen, before->seen, interval),
		.cpu = percent_of(now->cpu, before->cpu, interval),
		.gil = percent_of(now->gil, before->gil, interval),
		.gil_wait = percent_of(now->gil_wait, before->gil_wait, interval),
		.idle = percent_of(now->idle, before->idle, interval),
	};
}

static int compare_processes(const void *a, const void *b)
{
	const struct top_process *x = a, *y = b;

	if (x->shares.seen != y->shares.seen)
		return x->shares.seen < y->shares.seen ? 1 : -1;
	return (x->process > y->process) - (x->process < y->process);
}

static int processes_make(struct top_model *model)
{
	const struct profile *p = model->profile;
	struct top_process_past *past = calloc(p->n_processes + 1, sizeof(*past));
	struct top_process *processes = calloc(p->n_processes + 1, sizeof(*processes));
	const struct top_process_past all = {p->counts.weight_ns, p->counts.cpu_ns, p->counts.gil_ns, p->gil_wait_ns,
					     p->idle_ns};

	if (!past || !processes) {
		free(past);
		free(processes);
		return -ENOMEM;
	}
	model->n_processes = 0;
	for (uint32_t i = 0; i < p->n_processes; i++) {
		const struct profile_process *o = &p->processes[i];
		const struct top_process_past none = {0};
		struct top_process *to = &processes[model->n_processes];

		past[i] = (struct top_process_past){o->counts.weight_ns, o->counts.cpu_ns, o->counts.gil_ns,
						    o->gil_wait_ns, o->idle_ns};
		to->process = i;
		to->shares = shares(&past[i], i < model->n_processes_before ? &model->processes_before[i] : &none,
				    model->interval);
		model->n_processes += to->shares.seen > 0;
	}
	qsort(processes, model->n_processes, sizeof(*processes), compare_processes);
	model->shares = shares(&all, &model->all_before, model->interval);
	model->all_before = all;
	free(model->processes);
	model->processes = processes;
	free(model->processes_before);
	model->processes_before = past;
	model->n_processes_before = p->n_processes;
	return 0;
}

static int names_make(struct top_model *model)
{
	const char **names;

	if (model->short_names && model->n_short_names == model->profile->n_functions)
		return 0;
	names = short_names_new(model->profile);
	if (!names)
		return -ENOMEM;
	free(model->short_names);
	model->short_names = names;
	model->n_short_names = model->profile->n_functions;
	return 0;
}

int top_model_update(struct top_model *model, uint64_t now_ns)
{
	_cleanup_free_ uint32_t *group_of = calloc(model->profile->n_frames + 1, sizeof(*group_of));
	_cleanup_free_ struct profile_total *totals = NULL;
	struct top_past *past;
	int r;

	if (!group_of)
		return -ENOMEM;
	totals = totals_new(model, group_of);
	if (!totals)
		return -ENOMEM;
	model->interval = now_ns > model->before_ns ? (double)(now_ns - model->before_ns) / 1e9 : 0;
	model->seconds = now_ns > model->start_ns ? (double)(now_ns - model->start_ns) / 1e9 : 0;
	r = names_make(model);
	if (r == 0)
		r = rows_make(model, totals, group_of);
	if (r == 0)
		r = processes_make(model);
	past = r == 0 ? past_new(totals, n_groups(model)) : NULL;
	if (!past)
		return -ENOMEM;
	free(model->before);
	model->before = past;
	model->n_before = n_groups(model);
	model->before_ns = now_ns;
	return 0;
}

/* The groups are others now: what they had before is what they have now. */
int top_model_set_lines(struct top_model *model, bool lines, uint64_t now_ns)
{
	bool since_start = !model->base;
	int r;

	model->lines = lines;
	free(model->before);
	model->before = NULL;
	model->n_before = 0;
	free(model->base);
	model->base = NULL;
	model->n_base = 0;
	model->before_ns = now_ns;
	r = top_model_update(model, now_ns);
	return r < 0 || since_start ? r : top_model_reset(model, now_ns);
}

int top_model_reset(struct top_model *model, uint64_t now_ns)
{
	struct top_past *base;
	int r = top_model_update(model, now_ns);

	if (r < 0)
		return r;
	base = calloc(model->n_before + 1, sizeof(*base));
	if (!base)
		return -ENOMEM;
	memcpy(base, model->before, model->n_before * sizeof(*base));
	free(model->base);
	model->base = base;
	model->n_base = model->n_before;
	model->start_ns = now_ns;
	return top_model_update(model, now_ns);
}
