#include "data/record.h"

#include <string.h>

#include "base/bisect.h"

void record_init(struct record *rec)
{
	*rec = (struct record){0};
	hash_key_init(&rec->key);
}

static void function_free(struct record_function *function)
{
	lineset_deinit(&function->executable);
	free(function->name);
	free(function);
}

static void file_free(struct record_file *file)
{
	for (size_t i = 0; i < file->n_lines; i++) {
		lineset_deinit(&file->lines[i].lines);
		free(file->lines[i].arcs);
	}
	for (size_t i = 0; i < file->functions.n_slots; i++)
		if (file->functions.slots[i].entry)
			function_free(file->functions.slots[i].entry);
	hashmap_deinit(&file->functions);
	lineset_deinit(&file->executable);
	free(file->samples);
	free(file->lines);
	free(file->tracer);
	free(file->path);
	free(file);
}

static void context_free(struct record_context *context)
{
	free(context->name);
	free(context);
}

void record_deinit(struct record *rec)
{
	for (size_t i = 0; i < rec->files.n_slots; i++)
		if (rec->files.slots[i].entry)
			file_free(rec->files.slots[i].entry);
	for (size_t i = 0; i < rec->contexts.n_slots; i++)
		if (rec->contexts.slots[i].entry)
			context_free(rec->contexts.slots[i].entry);
	hashmap_deinit(&rec->files);
	hashmap_deinit(&rec->contexts);
}

static uint64_t hash_text(const struct record *rec, const char *text)
{
	return hash_bytes(&rec->key, text, strlen(text));
}

static bool file_matches(const void *entry, const void *key)
{
	return strcmp(((const struct record_file *)entry)->path, key) == 0;
}

struct record_file *record_file_find(const struct record *rec, const char *path)
{
	return hashmap_find(&rec->files, hash_text(rec, path), file_matches, path);
}

int record_file_get(struct record *rec, const char *path, struct record_file **ret)
{
	uint64_t hash = hash_text(rec, path);
	struct record_file *file = hashmap_find(&rec->files, hash, file_matches, path);

	if (!file) {
		file = calloc(1, sizeof(*file));
		if (!file)
			return -ENOMEM;
		file->number = rec->files.count;
		file->path = strdup(path);
		if (!file->path || hashmap_add(&rec->files, hash, file) < 0) {
			file_free(file);
			return -ENOMEM;
		}
	}
	*ret = file;
	return 0;
}

static bool context_matches(const void *entry, const void *key)
{
	return strcmp(((const struct record_context *)entry)->name, key) == 0;
}

static int context_get(struct record *rec, const char *name, struct record_context **ret)
{
	uint64_t hash = hash_text(rec, name);
	struct record_context *context = hashmap_find(&rec->contexts, hash, context_matches, name);

	if (!context) {
		context = calloc(1, sizeof(*context));
		if (!context)
			return -ENOMEM;
		context->id = (uint32_t)rec->contexts.count;
		context->name = strdup(name);
		if (!context->name || hashmap_add(&rec->contexts, hash, context) < 0) {
			context_free(context);
			return -ENOMEM;
		}
	}
	*ret = context;
	return 0;
}

/** Where the lines of context number @p id are, or belong. */
static size_t lines_position(const struct record_file *file, uint32_t id)
{
	return BISECT(i, file->n_lines, file->lines[i].context->id < id);
}

static int lines_insert(struct record_file *file, size_t at, const struct record_context *context)
{
	/* the array is full whenever the count is a power of two */
	if ((file->n_lines & (file->n_lines - 1)) == 0) {
		size_t room = file->n_lines ? file->n_lines * 2 : 1;
		struct record_lines *lines = reallocarray(file->lines, room, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		file->lines = lines;
	}
	memmove(file->lines + at + 1, file->lines + at, (file->n_lines - at) * sizeof(*file->lines));
	file->lines[at] = (struct record_lines){.context = context};
	file->n_lines++;
	return 0;
}

static int lines_get(struct record *rec, struct record_file *file, const char *context, struct record_lines **ret)
{
	struct record_context *ctx;
	size_t at;
	int r;

	r = context_get(rec, context ? context : "", &ctx);
	if (r < 0)
		return r;
	at = lines_position(file, ctx->id);
	if (at == file->n_lines || file->lines[at].context != ctx) {
		r = lines_insert(file, at, ctx);
		if (r < 0)
			return r;
	}
	*ret = &file->lines[at];
	return 0;
}

int record_file_lines(struct record *rec, struct record_file *file, const char *context, struct lineset **ret)
{
	struct record_lines *lines;
	int r = lines_get(rec, file, context, &lines);

	if (r == 0)
		*ret = &lines->lines;
	return r;
}

static int compare_arcs(const void *a, const void *b)
{
	const struct record_arc *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

size_t record_arcs_sort(struct record_arc *arcs, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(arcs, n, sizeof(*arcs), compare_arcs);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare_arcs(&arcs[kept - 1], &arcs[i]))
			arcs[kept++] = arcs[i];
	return kept;
}

/* Make room for one more, by dropping what is there twice if that is much. */
static int arcs_grow(struct record_lines *lines)
{
	struct record_arc *arcs;
	size_t room = lines->room ? lines->room * 2 : 16;

	if (lines->n_arcs < lines->room)
		return 0;
	lines->n_arcs = record_arcs_sort(lines->arcs, lines->n_arcs);
	if (lines->n_arcs < lines->room / 2)
		return 0;
	arcs = reallocarray(lines->arcs, room, sizeof(*arcs));
	if (!arcs)
		return -ENOMEM;
	lines->arcs = arcs;
	lines->room = room;
	return 0;
}

static int add_end(struct lineset *lines, int32_t end)
{
	return end > 0 ? lineset_add(lines, (uint32_t)end) : 0;
}

int record_file_add_arc(struct record *rec, struct record_file *file, const char *context, struct record_arc arc)
{
	struct record_lines *lines;
	int r;

	if (arc.from == INT32_MIN || arc.to == INT32_MIN)
		return -ERANGE;
	r = lines_get(rec, file, context, &lines);
	if (r == 0)
		r = add_end(&lines->lines, arc.from);
	if (r == 0)
		r = add_end(&lines->lines, arc.to);
	if (r == 0)
		r = arcs_grow(lines);
	if (r < 0)
		return r;
	lines->arcs[lines->n_arcs++] = arc;
	rec->has_arcs = true;
	return 0;
}

struct function_key {
	const char *name;
	uint32_t first_line;
};

static bool function_matches(const void *entry, const void *key)
{
	const struct record_function *function = entry;
	const struct function_key *wanted = key;

	return function->first_line == wanted->first_line && strcmp(function->name, wanted->name) == 0;
}

static int function_get(struct record *rec, struct record_file *file, struct function_key key,
			struct record_function **ret)
{
	/* an odd multiplier spreads the line, the keyed hash of the name keeps it unguessable */
	uint64_t hash = hash_text(rec, key.name) + key.first_line * UINT64_C(0x9e3779b97f4a7c15);
	struct record_function *function;

	function = hashmap_find(&file->functions, hash, function_matches, &key);
	if (!function) {
		function = calloc(1, sizeof(*function));
		if (!function)
			return -ENOMEM;
		function->first_line = key.first_line;
		function->name = strdup(key.name);
		if (!function->name || hashmap_add(&file->functions, hash, function) < 0) {
			function_free(function);
			return -ENOMEM;
		}
	}
	*ret = function;
	return 0;
}

int record_file_add_function(struct record *rec, struct record_file *file, const char *name, uint32_t first_line,
			     const struct lineset *executable)
{
	struct record_function *function;
	int r;

	r = function_get(rec, file, (struct function_key){name, first_line}, &function);
	if (r < 0 || !executable)
		return r;
	return lineset_or(&function->executable, executable);
}

static int merge_functions(struct record *rec, struct record_file *file, const struct record_file *from)
{
	for (size_t i = 0; i < from->functions.n_slots; i++) {
		const struct record_function *function = from->functions.slots[i].entry;
		int r;

		if (!function)
			continue;
		r = record_file_add_function(rec, file, function->name, function->first_line, &function->executable);
		if (r < 0)
			return r;
	}
	return 0;
}

static int merge_arcs(struct record *rec, struct record_file *file, const struct record_lines *from)
{
	for (size_t i = 0; i < from->n_arcs; i++) {
		int r = record_file_add_arc(rec, file, from->context->name, from->arcs[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The place of @line, or where it would be. */
static size_t find_sample(const struct record_file *file, uint32_t line)
{
	return BISECT(i, file->n_samples, file->samples[i].line < line);
}

static int insert_sample(struct record_file *file, size_t at, uint32_t line)
{
	if (file->n_samples == file->samples_room) {
		size_t room = file->samples_room ? 2 * file->samples_room : 16;
		struct record_sample *samples = realloc(file->samples, room * sizeof(*samples));

		if (!samples)
			return -ENOMEM;
		file->samples = samples;
		file->samples_room = room;
	}
	memmove(file->samples + at + 1, file->samples + at, (file->n_samples - at) * sizeof(*file->samples));
	file->samples[at] = (struct record_sample){line, 0};
	file->n_samples++;
	return 0;
}

int record_file_add_samples(struct record_file *file, uint32_t line, uint64_t samples)
{
	struct record_sample *sample;
	size_t at = find_sample(file, line);

	if (line == 0 || line > LINESET_MAX)
		return -ERANGE;
	if (at == file->n_samples || file->samples[at].line != line) {
		int r = insert_sample(file, at, line);

		if (r < 0)
			return r;
	}
	sample = &file->samples[at];
	if (samples > INT64_MAX - sample->samples)
		samples = INT64_MAX - sample->samples;
	sample->samples += samples;
	return 0;
}

static int merge_samples(struct record_file *file, const struct record_file *from)
{
	int r = 0;

	for (size_t i = 0; i < from->n_samples && r == 0; i++)
		r = record_file_add_samples(file, from->samples[i].line, from->samples[i].samples);
	return r;
}

int record_file_move_samples(struct record_file *file, struct record_file *from)
{
	int r = merge_samples(file, from);

	if (r == 0)
		from->n_samples = 0;
	return r;
}

static int merge_file(struct record *rec, const struct record_file *from, const char *path)
{
	struct record_file *file = record_file_find(rec, path);
	int r;

	if (file && strcmp(file->tracer ?: "", from->tracer ?: ""))
		return -EEXIST;
	r = record_file_get(rec, path, &file);
	if (r == 0 && from->tracer && !file->tracer) {
		file->tracer = strdup(from->tracer);
		r = file->tracer ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < from->n_lines; i++) {
		struct lineset *lines = NULL;

		r = record_file_lines(rec, file, from->lines[i].context->name, &lines);
		if (r < 0)
			return r;
		r = lineset_or(lines, &from->lines[i].lines);
		if (r == 0)
			r = merge_arcs(rec, file, &from->lines[i]);
		if (r < 0)
			return r;
	}
	r = lineset_or(&file->executable, &from->executable);
	if (r == 0)
		r = merge_samples(file, from);
	return r < 0 ? r : merge_functions(rec, file, from);
}

int record_merge(struct record *rec, const struct record *from)
{
	if (rec == from)
		return 0;
	rec->has_arcs |= from->has_arcs;
	for (size_t i = 0; i < from->files.n_slots; i++) {
		const struct record_file *file = from->files.slots[i].entry;
		int r = file ? merge_file(rec, file, file->path) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int sorted(const struct hashmap *map, int (*compare)(const void *, const void *), void ***ret, size_t *n)
{
	void **entries = calloc(map->count + 1, sizeof(*entries));
	size_t count = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_slots; i++)
		if (map->slots[i].entry)
			entries[count++] = map->slots[i].entry;
	qsort(entries, count, sizeof(*entries), compare);
	*ret = entries;
	*n = count;
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	const struct record_file *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

int record_sorted_files(const struct record *rec, struct record_file ***ret, size_t *n)
{
	return sorted(&rec->files, compare_files, (void ***)ret, n);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct record_file *const *x = a, *const *y = b;

	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

int record_merge_mapped(struct record *rec, const struct record *from, record_map_fn map, void *arg)
{
	_cleanup_free_ struct record_file **files = NULL;
	size_t n;
	int r = sorted(&from->files, compare_numbers, (void ***)&files, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *path;

		r = map(arg, files[i]->path, &path);
		if (r == 0)
			r = merge_file(rec, files[i], path);
	}
	rec->has_arcs |= from->has_arcs;
	return r;
}

static int compare_contexts(const void *a, const void *b)
{
	const struct record_context *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

int record_sorted_contexts(const struct record *rec, struct record_context ***ret, size_t *n)
{
	return sorted(&rec->contexts, compare_contexts, (void ***)ret, n);
}

static int compare_functions(const void *a, const void *b)
{
	const struct record_function *const *x = a, *const *y = b;

	if ((*x)->first_line != (*y)->first_line)
		return (*x)->first_line < (*y)->first_line ? -1 : 1;
	return strcmp((*x)->name, (*y)->name);
}

int record_sorted_functions(const struct record_file *file, struct record_function ***ret, size_t *n)
{
	return sorted(&file->functions, compare_functions, (void ***)ret, n);
}

bool record_has_lines(const struct record *rec)
{
	for (size_t i = 0; i < rec->files.n_slots; i++) {
		const struct record_file *file = rec->files.slots[i].entry;

		if (file && file->n_lines)
			return true;
	}
	return false;
}

size_t record_file_executed(const struct record_file *file)
{
	struct lineset all = {0};
	size_t n;

	if (file->n_lines == 1)
		return file->lines[0].lines.count;
	for (size_t i = 0; i < file->n_lines; i++)
		if (lineset_or(&all, &file->lines[i].lines) < 0)
			break;
	n = all.count;
	lineset_deinit(&all);
	return n;
}
