#include "supervisor/interpreters.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

void interpreter_free(struct interpreter *it)
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

int interpreter_get(struct recorder *r, const struct run *run, bool early, struct interpreter **ret)
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
	hash_key_init(&it->key);
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

bool interpreter_says_verdicts(const struct recorder *r)
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
		f->path = strdup(recorder_relative_name(r, verdict.path));
	if (verdict.in && !f->path)
		return -ENOMEM;
	note_package(r, &verdict);
	if (verdict.is_package)
		e = add_package(it, verdict.path);
	say_verdict(r, name, &verdict);
	*ret = f;
	return e;
}

int interpreter_file(struct recorder *r, struct interpreter *it, const char *name, struct known_file **ret)
{
	uint64_t hash = hash_bytes(&it->key, name, strlen(name));

	*ret = hashmap_find(&it->files, hash, has_name, name);
	return *ret ? 0 : known_file_new(r, it, name, hash, ret);
}
