/*
 * What the region of a run holds now, into a record: lines, the functions and executable lines of code objects, branches.
 * A region is read again and again while its program runs; what was read before is passed over where it can be.
 */
#include "supervisor/recorder.h"

#include <errno.h>
#include <string.h>

#include "attach/agent/agent_abi.h"
#include "base/log.h"
#include "base/utf8.h"
#include "supervisor/interpreters.h"
#include "symbols/branches.h"
#include "symbols/linetable.h"

#define CONTEXT_MAX 160

void drained_deinit(struct drained *drained)
{
	free(drained->bits);
	free(drained->files);
	*drained = (struct drained){0};
}

struct drain {
	struct recorder *recorder;
	struct record *record;
	const char *context;
	struct interpreter *interpreter;
	struct drained *drained;
	struct drained_file *files; /* sorted by number once all are in */
	size_t n, room;
	bool has_gap;		     /* as of struct drained */
	uint8_t minor;		     /* of the Python that ran */
	struct record_file *current; /* NULL: not wanted */
	uint32_t current_number;
	bool sorted;
};

static int add_drain_file(struct drain *d, uint32_t number, struct record_file *file)
{
	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;
		struct drained_file *files = realloc(d->files, room * sizeof(*files));

		if (!files)
			return -ENOMEM;
		d->files = files;
		d->room = room;
	}
	d->files[d->n++] = (struct drained_file){number, file};
	d->current = file;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct drained_file *)a)->number, y = ((const struct drained_file *)b)->number;

	return x < y ? -1 : x > y;
}

static const struct drained_file *find_number(const struct drained_file *files, size_t n, uint32_t number)
{
	const struct drained_file key = {.number = number};

	return n ? bsearch(&key, files, n, sizeof(key), by_number) : NULL;
}

static int on_file(void *arg, uint32_t number, const char *name, size_t len, bool refused)
{
	struct drain *d = arg;
	const struct drained_file *old = find_number(d->drained->files, d->drained->n_files, number);
	_cleanup_free_ char *text = old ? NULL : strndup(name, len);
	struct record_file *file;
	struct known_file *known;
	int r;

	d->current = NULL;
	d->current_number = number;
	if (old)
		return add_drain_file(d, number, old->file);
	if (!text)
		return -ENOMEM;
	if (text[0] != '/' || strlen(text) != len)
		return add_drain_file(d, number, NULL);
	if (refused && !interpreter_says_verdicts(d->recorder))
		return add_drain_file(d, number, NULL);
	r = interpreter_file(d->recorder, d->interpreter, text, &known);
	if (r < 0)
		return r;
	if (refused && known->path)
		log_error("'%s' was refused, and should not have been", text);
	if (!known->path)
		return add_drain_file(d, number, NULL);
	r = record_file_get(d->record, known->path, &file);
	return r < 0 ? r : add_drain_file(d, number, file);
}

static int on_lines(void *arg, uint32_t number, uint32_t first_line, const unsigned char *bits, size_t n)
{
	struct drain *d = arg;
	struct lineset *lines;
	int r;

	if (!d->current || number != d->current_number)
		return 0;
	r = record_file_lines(d->record, d->current, d->context, &lines);
	return r < 0 ? r : lineset_or_bits(lines, first_line, bits, n);
}

static void sort_files(struct drain *d)
{
	if (!d->sorted && d->n)
		qsort(d->files, d->n, sizeof(*d->files), by_number);
	d->sorted = true;
}

static const struct drained_file *find_file(struct drain *d, uint32_t number)
{
	sort_files(d);
	return find_number(d->files, d->n, number);
}

struct code_lines {
	struct lineset lines;
	int error;
};

static void add_line(void *arg, int32_t line)
{
	struct code_lines *c = arg;

	if (c->error == 0)
		c->error = lineset_add(&c->lines, (uint32_t)line);
}

/* The bit of code object @number, which is a multiple of four; NULL without memory. */
static unsigned char *drained_bits(struct drained *d, uint32_t number)
{
	size_t at = number / 32;

	if (at >= d->size) {
		size_t size = 2 * at + 4096;
		unsigned char *bits = realloc(d->bits, size);

		if (!bits)
			return NULL;
		memset(bits + d->size, 0, size - d->size);
		d->bits = bits;
		d->size = size;
	}
	return &d->bits[at];
}

_Static_assert(BRANCHES_WAY_ON == REGION_WAY_ON && BRANCHES_WAY_JUMP == REGION_WAY_JUMP, "ways");

struct arcs {
	struct drain *drain;
	struct record_file *file;
};

static int add_arc(void *arg, int32_t from, int32_t to)
{
	struct arcs *a = arg;

	return record_file_add_arc(a->drain->record, a->file, a->drain->context, (struct record_arc){from, to});
}

/* Each time anew: more ways may have been taken, and more lines have run. */
static int add_arcs(struct drain *d, struct record_file *file, const struct region_code *code,
		    const unsigned char *table)
{
	const struct branches_code c = {.minor = d->minor,
					.linetable_kind = (enum layout_linetable)code->linetable_kind,
					.first_line = code->firstlineno,
					.bytecode = table + code->table_len,
					.ways = table + code->table_len + code->kept,
					.table = table,
					.size = code->kept,
					.table_len = code->table_len};
	struct arcs arcs = {d, file};
	struct lineset *ran;
	int r = record_file_lines(d->record, file, d->context, &ran);

	if (r == 0)
		r = branches_resolve(&c, ran, add_arc, &arcs);
	return r == -ENOMEM ? r : 0;
}

static int add_code(struct drain *d, struct record_file *file, const struct region_code *code, const char *qualname,
		    const unsigned char *table)
{
	struct code_lines c = {0};
	char name[512];
	int r;

	lineset_init(&c.lines);
	snprintf(name, sizeof(name), "%.*s", code->name_len, qualname);
	r = linetable_each_line((enum layout_linetable)code->linetable_kind, table, code->table_len, code->firstlineno,
				add_line, &c);
	if (r == -EBADMSG)
		r = 0; /* a code object made up by the program: its lines are its own affair */
	if (r == 0)
		r = c.error;
	if (r == 0)
		r = lineset_or(&file->executable, &c.lines);
	if (r == 0 && c.lines.count)
		r = record_file_add_function(d->record, file, name, (uint32_t)code->firstlineno, &c.lines);
	lineset_deinit(&c.lines);
	return r;
}

static int on_code(void *arg, uint32_t number, const struct region_code *code, const char *qualname,
		   const unsigned char *table)
{
	struct drain *d = arg;
	unsigned char *bits = drained_bits(d->drained, number), bit = (unsigned char)(1u << number / 4 % 8);
	bool branches = d->recorder->options->branch;
	const struct drained_file *file;
	int r = 0;

	if (!bits)
		return -ENOMEM;
	/* Ways may have been taken since. */
	if (*bits & bit && !branches)
		return d->drained->has_gap ? 0 : REGION_SEEN;
	file = find_file(d, code->file);
	d->has_gap |= !file;
	if (!file)
		return 0;
	if (file->file && !(code->flags & REGION_CODE_ANNOTATE) && code->firstlineno >= 0) {
		r = code->kept ? add_arcs(d, file->file, code, table) : 0;
		if (r == 0 && !(*bits & bit))
			r = add_code(d, file->file, code, qualname, table);
	}
	if (r == 0)
		*bits |= bit;
	return r;
}

/* As coverage.py joins a static context and a dynamic one. */
static void context_of(const struct recorder *recorder, const struct run *run, char *buf, size_t size)
{
	const struct options *o = recorder->options;
	const char *label = o->context ? o->context : "", *command = run->command ? run->command : "?";

	if (o->process_contexts)
		snprintf(buf, size, "%s%s%s", label, *label ? "|" : "", command);
	else
		snprintf(buf, size, "%s", label);
	/* A context is UTF-8; arguments need not be. */
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ' || ((unsigned char)*p > 126 && !utf8_valid(buf)))
			*p = '?';
}

static int drain(struct recorder *recorder, const struct run *run, struct record *record, struct drained *drained,
		 bool early)
{
	char context[CONTEXT_MAX];
	struct drain d = {.recorder = recorder,
			  .record = record,
			  .context = context,
			  .drained = drained,
			  .minor = run->hexversion >> 16 & 0xff};
	struct region_visitor v = {on_file, on_lines, on_code, &d};
	int r;

	context_of(recorder, run, context, sizeof(context));
	r = interpreter_get(recorder, run, early, &d.interpreter);
	if (r == 0)
		r = region_walk(run->region_fd, &v);
	drained->has_gap = r < 0 || d.has_gap;
	if (r == 0) {
		sort_files(&d);
		free(drained->files);
		drained->files = d.files;
		drained->n_files = d.n;
	} else {
		free(d.files);
	}
	return r;
}

int recorder_drain(struct recorder *recorder, const struct run *run, struct record *record, struct drained *drained)
{
	return drain(recorder, run, record, drained, false);
}

int recorder_drain_early(struct recorder *recorder, const struct run *run, struct record *record,
			 struct drained *drained)
{
	return drain(recorder, run, record, drained, true);
}
