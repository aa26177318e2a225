#include "sample/profile.h"

#include <string.h>

#include "base/id_table.h"
#include "sample/profile_runs.h"

#define STRING_MAX 4096
#define STRING_OVERHEAD 32 /* of malloc(), the array and the table, about */

struct profile_private {
	struct hash_key key;
	struct id_table strings, functions, frames, nodes, processes, threads;
	size_t n_string_bytes;
	uint32_t strings_allocated, functions_allocated, frames_allocated, nodes_allocated, processes_allocated,
		threads_allocated;
	struct profile_runs runs;
	char *what;
	uint32_t stack[PROFILE_DEPTH_MAX], path[PROFILE_DEPTH_MAX];
};

/* Room for one more element in the array of @p n at @p array. */
static int array_reserve(void *array, uint32_t n, uint32_t *allocated, size_t size)
{
	uint32_t more = *allocated ? *allocated * 2 : 64;
	void *grown;

	if (n < *allocated)
		return 0;
	grown = reallocarray(*(void **)array, more, size);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	*allocated = more;
	return 0;
}

static uint32_t hash_of(const struct profile *p, const void *data, size_t n)
{
	return (uint32_t)hash_bytes(&p->private->key, data, n);
}

/* Strings */

struct string_key {
	const char *text;
	size_t len;
};

static bool string_matches(const void *context, uint32_t id, const void *key)
{
	const struct profile *p = context;
	const struct string_key *k = key;

	return strncmp(p->strings[id], k->text, k->len) == 0 && !p->strings[id][k->len];
}

static int string_add(struct profile *p, const struct string_key *k, uint32_t hash, uint32_t *ret)
{
	struct profile_private *v = p->private;
	char *copy;

	if (array_reserve(&p->strings, p->n_strings, &v->strings_allocated, sizeof(*p->strings)) < 0 ||
	    id_table_reserve(&v->strings) < 0)
		return -ENOMEM;
	copy = strndup(k->text, k->len);
	if (!copy)
		return -ENOMEM;
	v->n_string_bytes += k->len + STRING_OVERHEAD;
	*ret = p->n_strings++;
	p->strings[*ret] = copy;
	id_table_add(&v->strings, hash, *ret);
	return 0;
}

/* -ENOSPC: a new string, and there are too many. */
static int string_id(struct profile *p, const char *text, uint32_t *ret)
{
	struct string_key k = {text, strnlen(text, STRING_MAX)};
	uint32_t hash = hash_of(p, text, k.len);

	*ret = id_table_find(&p->private->strings, hash, string_matches, p, &k);
	if (*ret != PROFILE_NONE)
		return 0;
	if (p->private->n_string_bytes + k.len > p->options.max_string_bytes)
		return -ENOSPC;
	return string_add(p, &k, hash, ret);
}

/* Functions and frames */

static bool function_matches(const void *context, uint32_t id, const void *key)
{
	const struct profile *p = context;
	const struct profile_function *a = &p->functions[id], *b = key;

	return a->name == b->name && a->file == b->file && a->native == b->native;
}

static int function_id(struct profile *p, const struct profile_function *function, uint32_t *ret)
{
	const uint32_t words[] = {function->name, function->file, function->native};
	struct profile_private *v = p->private;
	uint32_t hash = hash_of(p, words, sizeof(words));

	*ret = id_table_find(&v->functions, hash, function_matches, p, function);
	if (*ret != PROFILE_NONE)
		return 0;
	if (array_reserve(&p->functions, p->n_functions, &v->functions_allocated, sizeof(*p->functions)) < 0 ||
	    id_table_reserve(&v->functions) < 0)
		return -ENOMEM;
	*ret = p->n_functions++;
	p->functions[*ret] = *function;
	id_table_add(&v->functions, hash, *ret);
	return 0;
}

static bool frame_matches(const void *context, uint32_t id, const void *key)
{
	const struct profile *p = context;
	return memcmp(&p->frames[id], key, sizeof(*p->frames)) == 0;
}

static int frame_of_line(struct profile *p, const struct profile_line *line, uint32_t *ret)
{
	struct profile_private *v = p->private;
	uint32_t hash = hash_of(p, line, sizeof(*line));

	*ret = id_table_find(&v->frames, hash, frame_matches, p, line);
	if (*ret != PROFILE_NONE)
		return 0;
	if (p->n_frames >= p->options.max_frames)
		return -ENOSPC;
	if (array_reserve(&p->frames, p->n_frames, &v->frames_allocated, sizeof(*p->frames)) < 0 ||
	    id_table_reserve(&v->frames) < 0)
		return -ENOMEM;
	*ret = p->n_frames++;
	p->frames[*ret] = *line;
	id_table_add(&v->frames, hash, *ret);
	return 0;
}

static int frame_id(struct profile *p, const struct profile_frame *frame, uint32_t *ret)
{
	struct profile_function function = {.native = frame->flags & PROFILE_FRAME_NATIVE};
	struct profile_line line = {.line = frame->line, .flags = frame->flags};
	int r;

	r = string_id(p, frame->function ? frame->function : "?", &function.name);
	if (r == 0)
		r = string_id(p, frame->file ? frame->file : "?", &function.file);
	if (r == 0)
		r = function_id(p, &function, &line.function);
	return r < 0 ? r : frame_of_line(p, &line, ret);
}

/* Frame 0 is the unknown one, which profile_new() put there. */
int profile_frame_id(struct profile *p, const struct profile_frame *frame, uint32_t *ret)
{
	uint32_t id = 0;
	int r = frame_id(p, frame, &id);

	if (r == -ENOSPC) {
		p->lost.names++;
		id = 0;
		r = 0;
	}
	if (r == 0)
		*ret = id;
	return r;
}

/* Nodes */

static bool node_matches(const void *context, uint32_t id, const void *key)
{
	const struct profile *p = context;
	const uint32_t *words = key;

	return p->nodes[id].parent == words[0] && p->nodes[id].frame == words[1];
}

static int node_add(struct profile *p, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	if (array_reserve(&p->nodes, p->n_nodes, &p->private->nodes_allocated, sizeof(*p->nodes)) < 0)
		return -ENOMEM;
	*ret = p->n_nodes++;
	p->nodes[*ret] = (struct profile_node){.parent = parent, .frame = frame};
	return 0;
}

/* -ENOSPC: a new node, and there are too many. */
static int node_child(struct profile *p, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	const uint32_t words[] = {parent, frame};
	struct profile_private *v = p->private;
	uint32_t hash = hash_of(p, words, sizeof(words));
	int r;

	*ret = id_table_find(&v->nodes, hash, node_matches, p, words);
	if (*ret != PROFILE_NONE)
		return 0;
	if (p->n_nodes >= p->options.max_nodes)
		return -ENOSPC;
	r = id_table_reserve(&v->nodes);
	if (r == 0)
		r = node_add(p, parent, frame, ret);
	if (r == 0)
		id_table_add(&v->nodes, hash, *ret);
	return r;
}

/* Processes and threads */

static bool process_matches(const void *context, uint32_t id, const void *key)
{
	const struct profile *p = context;
	return p->processes[id].pid == *(const pid_t *)key;
}

static int process_id(struct profile *p, pid_t pid, uint32_t *ret)
{
	struct profile_private *v = p->private;
	uint32_t hash = hash_of(p, &pid, sizeof(pid));

	*ret = id_table_find(&v->processes, hash, process_matches, p, &pid);
	if (*ret != PROFILE_NONE)
		return 0;
	if (pid != 0 && p->n_processes >= p->options.max_processes)
		return process_id(p, 0, ret);
	if (array_reserve(&p->processes, p->n_processes, &v->processes_allocated, sizeof(*p->processes)) < 0 ||
	    id_table_reserve(&v->processes) < 0)
		return -ENOMEM;
	*ret = p->n_processes++;
	p->processes[*ret] = (struct profile_process){.pid = pid};
	id_table_add(&v->processes, hash, *ret);
	return 0;
}

struct thread_key {
	pid_t pid, tid;
};

static bool thread_matches(const void *context, uint32_t id, const void *key)
{
	const struct profile *p = context;
	const struct thread_key *k = key;
	const struct profile_thread *t = &p->threads[id];

	return p->processes[t->process].pid == k->pid && t->tid == k->tid;
}

static int thread_add(struct profile *p, struct thread_key k, uint32_t hash, uint32_t *ret)
{
	struct profile_private *v = p->private;
	struct profile_thread thread = {.tid = k.tid};
	int r;

	r = process_id(p, k.pid, &thread.process);
	if (r < 0)
		return r;
	if (array_reserve(&p->threads, p->n_threads, &v->threads_allocated, sizeof(*p->threads)) < 0 ||
	    id_table_reserve(&v->threads) < 0)
		return -ENOMEM;
	r = node_add(p, PROFILE_NONE, PROFILE_NONE, &thread.root);
	if (r < 0)
		return r;
	thread.last = thread.root;
	*ret = p->n_threads++;
	p->threads[*ret] = thread;
	p->processes[thread.process].n_threads++;
	id_table_add(&v->threads, hash, *ret);
	return 0;
}

static int thread_id(struct profile *p, struct thread_key k, uint32_t *ret)
{
	uint32_t hash = hash_of(p, &k, sizeof(k)), process;
	int r;

	*ret = id_table_find(&p->private->threads, hash, thread_matches, p, &k);
	if (*ret != PROFILE_NONE)
		return 0;
	/* One above the limit joins the rest of its process, or of all processes. */
	if (p->n_threads >= p->options.max_threads && k.tid != 0)
		return thread_id(p, (struct thread_key){k.pid, 0}, ret);
	if (p->n_threads >= p->options.max_threads * 2 && k.pid != 0)
		return thread_id(p, (struct thread_key){0, 0}, ret);
	r = process_id(p, k.pid, &process);
	if (r < 0)
		return r;
	if (p->processes[process].pid != k.pid)
		return thread_id(p, (struct thread_key){0, 0}, ret);
	return thread_add(p, k, hash, ret);
}

/* Names come late, when a program has set them; a name that cannot be kept is none. */
static int name_set(struct profile *p, uint32_t *name, const char *text)
{
	uint32_t id;
	int r;

	if (!text || !*text || strcmp(p->strings[*name], text) == 0)
		return 0;
	r = string_id(p, text, &id);
	if (r == 0)
		*name = id;
	return r == -ENOSPC ? 0 : r;
}

/* Samples */

static void count(struct profile_counts *counts, uint64_t weight_ns, unsigned flags)
{
	counts->samples++;
	counts->weight_ns += weight_ns;
	counts->cpu_ns += flags & PROFILE_ON_CPU ? weight_ns : 0;
	counts->gil_ns += flags & PROFILE_GIL ? weight_ns : 0;
}

/* How many of the outermost frames are those of the thread's last stack, as most are; *node is of the last of them. */
static size_t common_part(struct profile *p, const struct profile_thread *t, const uint32_t *frames, size_t n,
			  uint32_t *node)
{
	uint32_t *path = p->private->path;
	size_t depth = t->depth, same = 0;

	*node = t->root;
	for (uint32_t at = t->last, i = t->depth; i > 0; at = p->nodes[at].parent)
		path[--i] = at;
	for (; same < depth && same < n && p->nodes[path[same]].frame == frames[n - 1 - same]; same++)
		*node = path[same];
	return same;
}

static int stack_node(struct profile *p, struct profile_thread *t, const uint32_t *frames, size_t n, uint32_t *ret)
{
	uint32_t node, child;

	if (n > PROFILE_DEPTH_MAX) {
		p->lost.deep++;
		n = PROFILE_DEPTH_MAX;
	}
	t->depth = (uint32_t)common_part(p, t, frames, n, &node);
	for (size_t i = n - t->depth; i > 0; i--) {
		int r = frames[i - 1] < p->n_frames ? node_child(p, node, frames[i - 1], &child) : -EINVAL;

		t->last = node;
		if (r == -ENOSPC) {
			p->lost.nodes++;
			break;
		}
		if (r < 0)
			return r;
		node = child;
		t->depth++;
	}
	*ret = t->last = node;
	return 0;
}

static void count_sample(struct profile *p, struct profile_thread *t, uint32_t node, uint64_t time_ns,
			 uint64_t weight_ns, unsigned flags)
{
	struct profile_process *process = &p->processes[t->process];

	if (!t->samples)
		t->first_ns = time_ns;
	t->last_ns = time_ns > t->last_ns ? time_ns : t->last_ns;
	t->samples++;
	p->lost.threads += t->tid == 0;
	count(&p->nodes[node].own, weight_ns, flags);
	count(&process->counts, weight_ns, flags);
	count(&p->counts, weight_ns, flags);
	process->idle_ns += flags & PROFILE_IDLE ? weight_ns : 0;
	p->idle_ns += flags & PROFILE_IDLE ? weight_ns : 0;
	process->gil_wait_ns += flags & PROFILE_GIL_WAIT ? weight_ns : 0;
	p->gil_wait_ns += flags & PROFILE_GIL_WAIT ? weight_ns : 0;
}

int profile_add_ids(struct profile *p, pid_t pid, pid_t tid, const char *thread_name, const char *process_name,
		    uint64_t time_ns, uint64_t weight_ns, unsigned flags, const uint32_t *frames, size_t n)
{
	uint64_t start_ns = time_ns > weight_ns ? time_ns - weight_ns : 0;
	struct profile_thread *t;
	uint32_t thread, node;
	int r;

	r = thread_id(p, (struct thread_key){pid, tid}, &thread);
	if (r < 0)
		return r;
	t = &p->threads[thread];
	r = stack_node(p, t, frames, n, &node);
	if (r == 0 && t->tid != 0)
		r = name_set(p, &t->name, thread_name);
	if (r == 0 && p->processes[t->process].pid != 0)
		r = name_set(p, &p->processes[t->process].name, process_name);
	if (r == 0 && p->options.keep_order)
		r = profile_runs_add(p, &p->private->runs, t, (struct profile_run){start_ns, weight_ns, node, 1});
	if (r == 0)
		count_sample(p, t, node, time_ns, weight_ns, flags);
	return r;
}

int profile_add_again(struct profile *p, pid_t pid, pid_t tid, uint64_t time_ns, uint64_t weight_ns, unsigned flags)
{
	uint64_t start_ns = time_ns > weight_ns ? time_ns - weight_ns : 0;
	struct thread_key key = {pid, tid};
	uint32_t thread = id_table_find(&p->private->threads, hash_of(p, &key, sizeof(key)), thread_matches, p, &key);
	struct profile_thread *t = thread == PROFILE_NONE ? NULL : &p->threads[thread];
	int r = 0;

	if (!t || !t->samples)
		return -ENOENT;
	if (p->options.keep_order)
		r = profile_runs_add(p, &p->private->runs, t, (struct profile_run){start_ns, weight_ns, t->last, 1});
	if (r == 0)
		count_sample(p, t, t->last, time_ns, weight_ns, flags);
	return r;
}

int profile_add(struct profile *p, pid_t pid, pid_t tid, const char *thread_name, const char *process_name,
		uint64_t time_ns, uint64_t weight_ns, unsigned flags, const struct profile_frame *frames, size_t n)
{
	uint32_t *stack = p->private->stack;

	if (n > PROFILE_DEPTH_MAX) {
		p->lost.deep++;
		n = PROFILE_DEPTH_MAX;
	}
	for (size_t i = 0; i < n; i++) {
		int r = profile_frame_id(p, &frames[i], &stack[i]);

		if (r < 0)
			return r;
	}
	return profile_add_ids(p, pid, tid, thread_name, process_name, time_ns, weight_ns, flags, stack, n);
}

/* Life */

int profile_set_info(struct profile *p, const struct profile_info *info)
{
	char *what = info->what ? strdup(info->what) : NULL;

	if (info->what && !what)
		return -ENOMEM;
	free(p->private->what);
	p->info = *info;
	p->info.what = p->private->what = what;
	return 0;
}

static void options_default(struct profile_options *o)
{
	o->max_nodes = o->max_nodes ? o->max_nodes : 2000000;
	o->max_frames = o->max_frames ? o->max_frames : 1000000;
	o->max_threads = o->max_threads ? o->max_threads : 10000;
	o->max_processes = o->max_processes ? o->max_processes : 2000;
	o->max_runs = o->max_runs ? o->max_runs : 4000000;
	o->max_string_bytes = o->max_string_bytes ? o->max_string_bytes : 64 << 20;
}

/* The strings and the frame that stand for what is not known: there before any limit is reached. */
static int add_unknown(struct profile *p)
{
	const struct string_key empty = {"", 0}, unknown = {"?", 1};
	struct profile_frame frame = {0};
	uint32_t id;
	int r;

	r = string_add(p, &empty, hash_of(p, "", 0), &id);
	if (r == 0)
		r = string_add(p, &unknown, hash_of(p, "?", 1), &id);
	return r < 0 ? r : frame_id(p, &frame, &id);
}

int profile_new(const struct profile_options *options, struct profile **ret)
{
	_cleanup_profile_ struct profile *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->private = calloc(1, sizeof(*p->private));
	if (!p->private)
		return -ENOMEM;
	if (options)
		p->options = *options;
	options_default(&p->options);
	hash_key_init(&p->private->key);
	profile_runs_init(&p->private->runs);
	r = add_unknown(p);
	if (r < 0)
		return r;
	*ret = take_ptr(p);
	return 0;
}

static void private_free(struct profile_private *v)
{
	if (!v)
		return;
	id_table_deinit(&v->strings);
	id_table_deinit(&v->functions);
	id_table_deinit(&v->frames);
	id_table_deinit(&v->nodes);
	id_table_deinit(&v->processes);
	id_table_deinit(&v->threads);
	free(v->what);
	free(v);
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	private_free(p->private);
	for (uint32_t i = 0; i < p->n_strings; i++)
		free((char *)p->strings[i]);
	free(p->strings);
	free(p->functions);
	free(p->frames);
	free(p->nodes);
	free(p->processes);
	for (uint32_t i = 0; i < p->n_threads; i++)
		free(p->threads[i].runs);
	free(p->threads);
	free(p);
}
