#include "recorder.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "symbols/linetable.h"

int recorder_init(struct recorder *r, const struct options *options)
{
	int ret;

	memset(r, 0, sizeof(*r));
	r->options = options;
	record_init(&r->record);
	ret = datafile_init(&r->file, options->data_file);
	return ret < 0 ? ret : datafile_check_writable(&r->file);
}

void recorder_deinit(struct recorder *r)
{
	record_deinit(&r->record);
	datafile_deinit(&r->file);
}

/* One drain: which file of the record a file of the region is. NULL: not wanted. */
struct drain_file {
	uint32_t number;
	struct record_file *file;
};

struct drain {
	struct recorder *recorder;
	const struct program *program;
	struct drain_file *files; /* sorted by number once all are in */
	size_t n, room;
	struct record_file *current;
	uint32_t current_number;
	bool sorted;
};

/* A name as the interpreter has it, made canonical: no `//`, `/./` or `/../`. */
static void normalise(char *path)
{
	char *to = path, *from = path;

	while (*from) {
		size_t n = strcspn(from + 1, "/");

		if (n == 0 || (n == 1 && from[1] == '.')) {
			;
		} else if (n == 2 && from[1] == '.' && from[2] == '.') {
			while (to > path && *--to != '/')
				;
		} else {
			memmove(to, from, n + 1);
			to += n + 1;
		}
		from += n + 1;
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

static bool wanted(const struct drain *d, const char *path)
{
	(void)d;
	return !strstr(path, "/lib/python3") && !strstr(path, "/dist-packages/") && !strstr(path, "/site-packages/");
}

static int on_file(void *arg, uint32_t number, const char *name, size_t len)
{
	struct drain *d = arg;
	_cleanup_free_ char *path = strndup(name, len);
	struct drain_file *files;

	d->current = NULL;
	d->current_number = number;
	if (!path)
		return -ENOMEM;
	if (path[0] != '/' || strlen(path) != len)
		return 0;
	normalise(path);
	if (!wanted(d, path))
		return 0;
	if (record_file_get(&d->recorder->record, path, &d->current) < 0)
		return -ENOMEM;
	if (d->n == d->room) {
		d->room = d->room ? 2 * d->room : 64;
		files = realloc(d->files, d->room * sizeof(*files));
		if (!files)
			return -ENOMEM;
		d->files = files;
	}
	d->files[d->n++] = (struct drain_file){number, d->current};
	return 0;
}

static int on_lines(void *arg, uint32_t number, uint32_t first_line, const unsigned char *bits, size_t n)
{
	struct drain *d = arg;
	struct lineset *lines;
	int r;

	if (!d->current || number != d->current_number)
		return 0;
	r = record_file_lines(&d->recorder->record, d->current, NULL, &lines);
	return r < 0 ? r : lineset_or_bits(lines, first_line, bits, n);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct drain_file *)a)->number, y = ((const struct drain_file *)b)->number;

	return x < y ? -1 : x > y;
}

static struct record_file *find_file(struct drain *d, uint32_t number)
{
	struct drain_file key = {.number = number}, *found;

	if (!d->sorted)
		qsort(d->files, d->n, sizeof(key), by_number);
	d->sorted = true;
	found = d->n ? bsearch(&key, d->files, d->n, sizeof(key), by_number) : NULL;
	return found ? found->file : NULL;
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

static int on_code(void *arg, const struct region_code *code, const char *qualname, const unsigned char *table)
{
	struct drain *d = arg;
	struct record_file *file = find_file(d, code->file);
	struct code_lines c = {0};
	char name[512];
	int r;

	if (!file || code->flags & REGION_CODE_ANNOTATE || code->firstlineno < 0)
		return 0;
	lineset_init(&c.lines);
	snprintf(name, sizeof(name), "%.*s", code->name_len, qualname);
	r = linetable_each_line((enum layout_linetable)code->linetable_kind, table, code->table_len,
				code->firstlineno, add_line, &c);
	if (r == -EBADMSG)
		r = 0; /* a code object made up by the program: its lines are its own affair */
	if (r == 0)
		r = c.error;
	if (r == 0)
		r = lineset_or(&file->executable, &c.lines);
	if (r == 0 && c.lines.count)
		r = record_file_add_function(&d->recorder->record, file, name, (uint32_t)code->firstlineno, &c.lines);
	lineset_deinit(&c.lines);
	return r;
}

int recorder_drain(struct recorder *recorder, const struct program *program)
{
	struct drain d = {.recorder = recorder, .program = program};
	struct region_visitor v = {on_file, on_lines, on_code, &d};
	struct region_counters c;
	int r;

	if (!program->region)
		return 0;
	region_read_counters(program->region, &c);
	recorder->dropped += c.dropped_files + c.dropped_lines + c.dropped_code;
	r = region_walk(program->region, &v);
	free(d.files);
	return r;
}

int recorder_save(struct recorder *recorder)
{
	return datafile_write(&recorder->file, &recorder->record, recorder->options->sync);
}
