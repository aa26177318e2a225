#include "supervisor/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/utf8.h"
#include "attach/agent/agent_abi.h"
#include "selection/modules.h"
#include "symbols/branches.h"
#include "symbols/linetable.h"

#define CONTEXT_MAX 160

/* One of the interpreters that ran in the tree: what is known of it, and which of its files are wanted. */
struct interpreter {
	struct interpreter *next;
	uint32_t hexversion;
	char *executable, *library;
	int root_fd; /* its root directory, or -1: ours */
	struct interpreter_facts facts;
	struct hashmap files;	     /* of struct known_file */
	struct string_list packages; /* directories of the packages of --source that it has imported */
	size_t n_walked;	     /* of those, looked through for files that never ran */
	size_t n_found;		     /* or in advance */
};

struct known_file {
	char *name; /* as the interpreter has it */
	char *path; /* as it is recorded; NULL: not wanted */
};

static const char *const *list_of(const struct string_list *list)
{
	return (const char *const *)list->items;
}

/* Warnings go by the names that coverage.py gives them. */
bool recorder_warns_of(const struct recorder *r, const char *warning)
{
	return !string_list_has(&r->options->config.run.disable_warnings, warning);
}

static int find_relative_to(struct recorder *r)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);

	if (!cwd || asprintf(&r->relative_to, "%s%s", cwd, strcmp(cwd, "/") ? "/" : "") < 0) {
		r->relative_to = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* What @path is recorded as. */
static const char *recorded_name(const struct recorder *r, const char *path)
{
	size_t n = r->relative_to ? strlen(r->relative_to) : 0;

	return n && !strncmp(path, r->relative_to, n) && path[n] ? path + n : path;
}

/* What is to be added to. Lines and branches do not go together. */
static int read_old(const struct recorder *r, struct datafile *file, struct record *old)
{
	int ret = r->options->branch ? datafile_read_arcs(file, old) : datafile_read(file, old);

	if (ret == 0 && r->options->branch && old->files.count && !old->has_arcs) {
		snprintf(file->why, sizeof(file->why), "it holds lines, not branches");
		return -ENOTSUP;
	}
	return ret;
}

/* Better to find out now than when the program has run for hours. */
static int check_appendable(struct recorder *r)
{
	_cleanup_record_ struct record old;
	int ret;

	record_init(&old);
	ret = read_old(r, &r->file, &old);
	if (ret == -ENOENT)
		return 0;
	r->has_old_data = ret == 0 && record_has_lines(&old);
	if (ret < 0)
		snprintf(r->why, sizeof(r->why), "cannot append to %s: %s", r->options->data_file, r->file.why);
	return ret == -EINVAL ? -EBADMSG : ret;
}

static void look_at_file(const struct recorder *r, struct stat *st)
{
	if (fstatat(r->file.dirfd, r->file.name, st, AT_SYMLINK_NOFOLLOW) < 0)
		memset(st, 0, sizeof(*st));
}

static void remember_file(struct recorder *r)
{
	cleanup_closep(&r->last_fd);
	r->last_fd = openat(r->file.dirfd, r->file.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (r->last_fd < 0 || fstat(r->last_fd, &r->last) < 0)
		memset(&r->last, 0, sizeof(r->last));
}

static bool is_as(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Each write makes a new file. With --append, a write reads what there is in any case; files of processes stand alone. */
void recorder_resume(struct recorder *recorder)
{
	struct stat now;

	look_at_file(recorder, &now);
	if (recorder->options->append || recorder->options->parallel_mode || !now.st_ino ||
	    is_as(&now, &recorder->before))
		return;
	if (read_old(recorder, &recorder->file, &recorder->record) < 0)
		log_warning("cannot go on from %s: %s", recorder->options->data_file, recorder->file.why);
}

/* sys.path[0] is one of these, for what the command starts. */
static int find_script_dirs(const struct options *options, struct string_list *ret)
{
	int r = string_list_push(ret, ".");

	for (char **word = options->command; r == 0 && word && *word; word++) {
		_cleanup_free_ char *dir = NULL;
		struct stat st;

		if (stat(*word, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) || !strchr(*word, '/')) {
			r = string_list_push(ret, S_ISDIR(st.st_mode) ? *word : ".");
			continue;
		}
		dir = strndup(*word, (size_t)(strrchr(*word, '/') - *word) + 1);
		r = dir ? string_list_push(ret, dir) : -ENOMEM;
	}
	return r;
}

static int make_packages(struct recorder *r)
{
	const char *const *names = selection_packages(r->selection);
	size_t n = 0;

	while (names[n])
		n++;
	r->packages = calloc(n + 1, sizeof(*r->packages));
	return r->packages ? 0 : -ENOMEM;
}

int recorder_init(struct recorder *r, const struct options *options)
{
	struct selection_options sel = {.source = list_of(&options->source),
					.include = list_of(&options->include),
					.omit = list_of(&options->omit),
					.source_pkgs = list_of(&options->config.run.source_pkgs),
					.source_dirs = list_of(&options->config.run.source_dirs),
					.pylib = options->pylib,
					.namespace_packages = options->config.report.include_namespace_packages};
	struct string_list script_dirs = {0};
	int ret;

	memset(r, 0, sizeof(*r));
	r->options = options;
	record_init(&r->record);
	dir_cache_init(&r->dirs);
	r->file.dirfd = r->last_fd = -1;
	ret = find_script_dirs(options, &script_dirs);
	sel.script_dirs = list_of(&script_dirs);
	if (ret == 0)
		ret = selection_new(&sel, r->why, sizeof(r->why), &r->selection);
	string_list_deinit(&script_dirs);
	if (ret == 0)
		ret = make_packages(r);
	if (ret < 0)
		return ret;
	if (selection_include_is_ignored(r->selection) && recorder_warns_of(r, "include-ignored"))
		log_warning("--include is ignored because --source is set (include-ignored)");
	ret = options->config.run.relative_files ? find_relative_to(r) : 0;
	if (ret == 0)
		ret = datafile_init(&r->file, options->data_file);
	if (ret == 0)
		look_at_file(r, &r->before);
	r->last = r->before;
	if (ret == 0)
		ret = datafile_check_writable(&r->file);
	if (ret < 0)
		snprintf(r->why, sizeof(r->why), "cannot write %s: %s", options->data_file, r->file.why);
	if (ret == 0 && options->append)
		ret = check_appendable(r);
	return ret;
}

static void interpreter_free(struct interpreter *it)
{
	for (size_t i = 0; i < it->files.n_slots; i++) {
		struct known_file *f = it->files.slots[i].entry;

		if (!f)
			continue;
		free(f->name);
		free(f->path);
		free(f);
	}
	hashmap_deinit(&it->files);
	interpreter_facts_deinit(&it->facts);
	string_list_deinit(&it->packages);
	if (it->root_fd >= 0)
		close(it->root_fd);
	free(it->executable);
	free(it->library);
	free(it);
}

void recorder_deinit(struct recorder *r)
{
	while (r->interpreters) {
		struct interpreter *it = r->interpreters;

		r->interpreters = it->next;
		interpreter_free(it);
	}
	cleanup_closep(&r->last_fd);
	selection_free(r->selection);
	dir_cache_deinit(&r->dirs);
	free(r->relative_to);
	free(r->packages);
	record_deinit(&r->record);
	datafile_deinit(&r->file);
}

/* ------------------------------------------------------------------------------------------------- interpreters */

struct stdlib_search {
	unsigned int minor;
	const char *expected; /* the file that shows that it is where the executable says */
	char *found;
};

static int search_stdlib(void *arg, uint32_t number, const char *name, size_t len, bool refused)
{
	struct stdlib_search *s = arg;
	_cleanup_free_ char *path = strndup(name, len), *found = NULL;
	bool is_expected = path && s->expected && !strcmp(path, s->expected);

	(void)number;
	(void)refused;
	if (path && (is_expected || !s->found))
		found = interpreter_stdlib_of(path, 3, s->minor);
	if (found) {
		free(s->found);
		s->found = take_ptr(found);
	}
	return is_expected;
}

/* 1 if they are sure: the library was seen in the region. */
static int find_facts(struct interpreter *it, const struct run *run)
{
	struct stdlib_search search = {.minor = run->hexversion >> 16 & 0xff};
	struct region_visitor v = {.file = search_stdlib, .arg = &search};
	struct interpreter_hints hints = {.major = 3,
					  .minor = search.minor,
					  .executable = it->executable,
					  .home = run->home,
					  .user_base = run->user_base};
	_cleanup_free_ char *expected = NULL;
	char root[64];
	bool is_sure;
	int r;

	if (it->root_fd >= 0) {
		snprintf(root, sizeof(root), "/proc/self/fd/%d", it->root_fd);
		hints.root = root;
	}
	r = interpreter_facts_init(&it->facts, &hints);
	if (r < 0)
		return r;
	search.expected = expected = interpreter_facts_landmark(&it->facts, hints.major, hints.minor);
	r = run->region_fd < 0 ? 0 : region_walk(run->region_fd, &v);
	is_sure = search.found != NULL;
	/* It is elsewhere: in another interpreter's, as PYTHONHOME or an embedding program would have it. */
	if (r == 0 && search.found) {
		interpreter_facts_deinit(&it->facts);
		hints.stdlib_dir = search.found;
		r = interpreter_facts_init(&it->facts, &hints);
	}
	free(search.found);
	return r < 0 ? r : is_sure;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_directory(int a, int b)
{
	struct stat x, y;

	if (a < 0 || b < 0)
		return a < 0 && b < 0;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* -EAGAIN, only when it is @early: it has not come to life yet. */
static int interpreter_get(struct recorder *r, const struct run *run, bool early, struct interpreter **ret)
{
	struct interpreter *it;
	int e;

	for (it = r->interpreters; it; it = it->next) {
		if (it->hexversion == run->hexversion && same_text(it->executable, run->executable) &&
		    same_text(it->library, run->library) && same_directory(it->root_fd, run->root_fd)) {
			*ret = it;
			return 0;
		}
	}
	it = calloc(1, sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->hexversion = run->hexversion;
	it->executable = run->executable ? strdup(run->executable) : NULL;
	it->library = run->library ? strdup(run->library) : NULL;
	it->root_fd = run->root_fd >= 0 ? fcntl(run->root_fd, F_DUPFD_CLOEXEC, 3) : -1;
	e = find_facts(it, run);
	if (e < 0 || (e == 0 && early)) {
		interpreter_free(it);
		return e < 0 ? e : -EAGAIN;
	}
	it->next = r->interpreters;
	r->interpreters = it;
	*ret = it;
	return 0;
}

static bool has_name(const void *entry, const void *key)
{
	return !strcmp(((const struct known_file *)entry)->name, key);
}

static enum log_level verdict_level(const struct recorder *r)
{
	return options_debug(r->options, "trace") ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG;
}

static bool says_verdicts(const struct recorder *r)
{
	return log_enabled(verdict_level(r));
}

/* --debug=trace: each file, with the reason for or against it. */
static void say_verdict(const struct recorder *r, const char *name, const struct verdict *verdict)
{
	enum log_level level = verdict_level(r);

	if (!log_enabled(level))
		return;
	if (!verdict->in)
		log_message(level, "not measuring '%s': %s", name, verdict->reason);
	else if (strcmp(name, verdict->path))
		log_message(level, "measuring '%s' as '%s': %s", name, verdict->path, verdict->reason);
	else
		log_message(level, "measuring '%s': %s", name, verdict->reason);
}

/* @path is the package's __init__.py. */
static int add_package(struct interpreter *it, const char *path)
{
	_cleanup_free_ char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));

	return dir ? string_list_push(&it->packages, dir) : -ENOMEM;
}

static void note_package(struct recorder *r, const struct verdict *verdict)
{
	const char *const *packages = selection_packages(r->selection);

	for (size_t i = 0; verdict->package && packages[i]; i++) {
		if (strcmp(packages[i], verdict->package))
			continue;
		if (verdict->is_whole)
			r->packages[i].is_whole = true;
		else
			r->packages[i].in_part = true;
	}
}

static int known_file_new(struct recorder *r, struct interpreter *it, const char *name, uint64_t hash,
			  struct known_file **ret)
{
	struct known_file *f = calloc(1, sizeof(*f));
	_cleanup_verdict_ struct verdict verdict = {0};
	int e;

	if (!f)
		return -ENOMEM;
	e = selection_judge(r->selection, &it->facts, name, &verdict);
	f->name = strdup(name);
	if (e == 0 && !f->name)
		e = -ENOMEM;
	if (e == 0)
		e = hashmap_add(&it->files, hash, f);
	if (e < 0) {
		free(f->name);
		free(f);
		return e;
	}
	if (verdict.in)
		f->path = strdup(recorded_name(r, verdict.path));
	if (verdict.in && !f->path)
		return -ENOMEM;
	note_package(r, &verdict);
	if (verdict.is_package)
		e = add_package(it, verdict.path);
	say_verdict(r, name, &verdict);
	*ret = f;
	return e;
}

static int get_known_file(struct recorder *r, struct interpreter *it, const char *name, struct known_file **ret)
{
	uint64_t hash = hash_bytes(&r->record.key, name, strlen(name));

	*ret = hashmap_find(&it->files, hash, has_name, name);
	return *ret ? 0 : known_file_new(r, it, name, hash, ret);
}

/* -------------------------------------------------------------------------------------------------------- drains */

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
	if (refused && !says_verdicts(d->recorder))
		return add_drain_file(d, number, NULL);
	r = get_known_file(d->recorder, d->interpreter, text, &known);
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

int recorder_judge(struct recorder *recorder, const struct run *run, const char *name, const char **ret)
{
	struct interpreter *it;
	struct known_file *known;
	int r = interpreter_get(recorder, run, false, &it);

	if (r == 0)
		r = get_known_file(recorder, it, name, &known);
	if (r == 0)
		*ret = known->path;
	return r;
}

int recorder_add_samples(struct recorder *recorder, const struct run *run, struct record *record,
			 struct record *sampled)
{
	struct interpreter *it;
	int r = sampled->files.count ? interpreter_get(recorder, run, false, &it) : 0;

	for (size_t i = 0; i < sampled->files.n_slots && r == 0; i++) {
		struct record_file *from = sampled->files.slots[i].entry, *to;
		struct known_file *known;

		if (!from || !from->n_samples)
			continue;
		r = get_known_file(recorder, it, from->path, &known);
		to = r == 0 && known->path ? record_file_find(record, known->path) : NULL;
		if (to)
			r = record_file_move_samples(to, from);
	}
	return r;
}

struct unexecuted {
	struct recorder *recorder;
	struct record *record;
};

static int add_unexecuted(void *arg, const char *path)
{
	struct unexecuted *u = arg;
	struct record_file *file;

	return record_file_get(u->record, recorded_name(u->recorder, path), &file);
}

int recorder_add_unexecuted(struct recorder *recorder, struct record *record)
{
	bool again = !recorder->options->parallel_mode;
	struct unexecuted u = {recorder, record};
	int r = 0;

	if (!selection_has_source(recorder->selection))
		return 0;
	if (again || !recorder->walked)
		r = selection_unexecuted_files(recorder->selection, &recorder->dirs, add_unexecuted, &u);
	recorder->walked = true;
	for (struct interpreter *it = recorder->interpreters; it && r == 0; it = it->next) {
		for (size_t i = again ? 0 : it->n_walked; i < it->packages.n && r == 0; i++)
			r = selection_unexecuted_in(recorder->selection, &recorder->dirs, &it->facts,
						    it->packages.items[i], add_unexecuted, &u);
		it->n_walked = it->packages.n;
	}
	return r;
}

static int no_file(void *arg, const char *path)
{
	(void)arg, (void)path;
	return 0;
}

void recorder_find_unexecuted(struct recorder *recorder)
{
	int r = 0;

	if (!selection_has_source(recorder->selection))
		return;
	if (!recorder->found)
		r = selection_unexecuted_files(recorder->selection, &recorder->dirs, no_file, NULL);
	recorder->found = true;
	for (struct interpreter *it = recorder->interpreters; it && r == 0; it = it->next)
		for (; it->n_found < it->packages.n && r == 0; it->n_found++)
			r = selection_unexecuted_in(recorder->selection, &recorder->dirs, &it->facts,
						    it->packages.items[it->n_found], no_file, NULL);
}

static enum module_kind kind_of(const struct recorder *r, const char *name)
{
	enum module_kind kind = MODULE_UNKNOWN;

	for (struct interpreter *it = r->interpreters; it && kind == MODULE_UNKNOWN; it = it->next)
		kind = module_kind_of(&it->facts, name);
	return kind;
}

static void warn_of_module(const struct recorder *r, const char *name, const char *fmt, const char *warning)
	__attribute__((format(printf, 3, 0)));
static void warn_of_module(const struct recorder *r, const char *name, const char *fmt, const char *warning)
{
	char text[512];

	if (!recorder_warns_of(r, warning))
		return;
	snprintf(text, sizeof(text), fmt, name);
	log_warning("%s (%s)", text, warning);
}

static void warn_of_package(const struct recorder *r, const char *name, const struct package_seen *seen)
{
	enum module_kind kind;

	/* a directory without an __init__.py has no code of its own */
	if (seen->is_whole || seen->in_part)
		return;
	kind = kind_of(r, name);
	if (kind == MODULE_COMPILED)
		warn_of_module(r, name, "Module %s has no Python source.", "module-not-python");
	else if (kind == MODULE_FROZEN)
		warn_of_module(r, name, "Module %s was previously imported, but not measured", "module-not-measured");
	else if (r->options->pids.n)
		warn_of_module(r, name, "Module %s did not run, or was never imported", "module-not-measured");
	else
		warn_of_module(r, name, "Module %s was never imported.", "module-not-imported");
}

void recorder_warn(const struct recorder *recorder)
{
	const char *const *names = selection_packages(recorder->selection);

	for (size_t i = 0; names[i]; i++)
		warn_of_package(recorder, names[i], &recorder->packages[i]);
}

/* Add our lines to what the file holds. Others that append wait; those that replace it do not care. */
static int append(struct recorder *recorder, struct datafile *file, struct record *record)
{
	struct record merged;
	int r;

	record_init(&merged);
	flock(file->dirfd, LOCK_EX);
	r = read_old(recorder, file, &merged);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = record_merge(&merged, record);
	if (r == 0)
		r = datafile_write(file, &merged, recorder->options->sync);
	flock(file->dirfd, LOCK_UN);
	record_deinit(&merged);
	return r;
}

/* Of a line that ran coverage.py has an arc to itself where it measures by sys.monitoring: its reports know what it means. */
static int add_self_arcs(struct record *record, struct record_file *file, const struct record_lines *lines)
{
	const char *context = lines->context->name;
	int r = 0;

	for (uint32_t line = 0; r == 0 && (line = lineset_next(&lines->lines, line));)
		r = record_file_add_arc(record, file, context, (struct record_arc){(int32_t)line, (int32_t)line});
	return r;
}

static int make_branches(struct record *record)
{
	int r = 0;

	record->has_arcs = true;
	for (size_t i = 0; i < record->files.n_slots; i++) {
		struct record_file *file = record->files.slots[i].entry;

		for (size_t j = 0; file && r == 0 && j < file->n_lines; j++)
			r = add_self_arcs(record, file, &file->lines[j]);
	}
	return r;
}

/* Another pycov-trace puts a new file there, as we do, and has said itself that it is not alone (keeper.c). */
static void tell_of_others(struct recorder *r)
{
	struct stat now;

	look_at_file(r, &now);
	if (r->other_told || !now.st_ino || is_as(&now, &r->last) ||
	    ((r->last_fd < 0 || now.st_ino != r->last.st_ino) && datafile_is_ours(&r->file)))
		return;
	r->other_told = true;
	log_warning("%s was written by another program meanwhile, coverage.py perhaps: it is replaced (see --append)",
		    r->file.path);
}

static int replace(struct recorder *recorder, struct datafile *file, struct record *record)
{
	bool is_shared = file == &recorder->file;
	int r;

	if (is_shared)
		tell_of_others(recorder);
	r = datafile_write(file, record, recorder->options->sync);
	if (is_shared)
		remember_file(recorder);
	return r;
}

int recorder_save(struct recorder *recorder, struct datafile *file, struct record *record)
{
	int r = recorder->options->branch ? make_branches(record) : 0;

	if (r < 0) {
		snprintf(file->why, sizeof(file->why), "%s", strerror(-r));
		return r;
	}
	if (options_debug(recorder->options, "data") || options_debug(recorder->options, "dataio"))
		log_error("%s %s: %zu files, %zu contexts", recorder->options->append ? "adding to" : "writing",
			  file->path, record->files.count, record->contexts.count);
	return recorder->options->append ? append(recorder, file, record) : replace(recorder, file, record);
}

int recorder_parallel_file(struct recorder *recorder, pid_t pid, struct datafile *ret)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	char host[HOST_NAME_MAX + 1] = "localhost", suffix[HOST_NAME_MAX + 64], random[7];
	unsigned char bytes[6];

	gethostname(host, sizeof(host) - 1);
	for (char *p = host; *p; p++)
		if (*p == '.' || *p == '/')
			*p = '_';
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		random[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	random[sizeof(bytes)] = 0;
	snprintf(suffix, sizeof(suffix), ".%s.pid%d.X%sx", host, pid, random);
	return datafile_init_suffixed(ret, &recorder->file, suffix);
}
