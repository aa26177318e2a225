#include "supervisor/sampling.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach/procfs.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "sample/result.h"
#include "sample/sampler.h"
#include "supervisor/recorder.h"

#define LINES_MAX 65536 /* between two flushes */
#define FLUSH_NS UINT64_C(250000000)
#define SLICE_NS UINT64_C(10000000) /* how soon it is seen that a process is to be sampled */

/* How often a line was found running. */
struct line {
	uint32_t run, line, count;
	uint64_t hash;
	char file[];
};

struct lines {
	struct line **items; /* room for LINES_MAX */
	size_t n;
	struct hashmap map;
};

/* What the supervisor says, through a pipe. With pid 0: write the profile. */
struct news {
	int32_t pid;
	uint32_t run;
};

struct member {
	pid_t pid;
	uint32_t run;
	char *cwd;	  /* what relative names of files are below; NULL: not known */
	struct run about; /* its interpreter; hexversion 0: not noted yet */
};

struct sampling {
	pthread_t thread;
	bool is_started;
	struct keeper *keeper;
	struct sampler sampler;
	int news[2]; /* the thread reads [0] */
	volatile int stop;
	pthread_mutex_t lock; /* of: */
	struct lines lines;
	unsigned int n_asked, n_written; /* for the profile */
	bool is_over;			 /* the thread is */
	pthread_cond_t written;
	struct hash_key key;
	/* The thread's: */
	struct options options;	 /* the user's, but for --debug: verdicts are told by the keeper */
	struct recorder judge;	 /* of files */
	struct profile *profile; /* or NULL */
	struct member *members;
	size_t n_members;
	uint64_t flush_ns;
};

/* ----------------------------------------------------------------------------------------------------- the lines */

static void lines_deinit(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->items[i]);
	free(lines->items);
	hashmap_deinit(&lines->map);
	*lines = (struct lines){0};
}

struct line_key {
	uint32_t run, line;
	const char *file;
};

static bool is_line(const void *entry, const void *key)
{
	const struct line *a = entry;
	const struct line_key *b = key;

	return a->run == b->run && a->line == b->line && !strcmp(a->file, b->file);
}

static uint64_t hash_line(const struct sampling *s, const struct line_key *key)
{
	uint64_t parts[] = {hash_bytes(&s->key, key->file, strlen(key->file)), (uint64_t)key->run << 32 | key->line};

	return hash_bytes(&s->key, parts, sizeof(parts));
}

static int add_line(struct sampling *s, const struct line_key *key, uint64_t hash)
{
	struct lines *lines = &s->lines;
	struct line *line;
	int r;

	if (lines->n == LINES_MAX)
		return 0;
	if (!lines->items && !(lines->items = malloc(LINES_MAX * sizeof(struct line *))))
		return -ENOMEM;
	line = malloc(sizeof(*line) + strlen(key->file) + 1);
	if (!line)
		return -ENOMEM;
	*line = (struct line){.run = key->run, .line = key->line, .count = 1, .hash = hash};
	strcpy(line->file, key->file);
	r = hashmap_add(&lines->map, hash, line);
	if (r < 0)
		free(line);
	else
		lines->items[lines->n++] = line;
	return r;
}

static int count_line(struct sampling *s, const struct line_key *key)
{
	uint64_t hash = hash_line(s, key);
	struct line *line;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	line = hashmap_find(&s->lines.map, hash, is_line, key);
	if (line)
		line->count++;
	else
		r = add_line(s, key, hash);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int by_file(const void *a, const void *b)
{
	const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;

	return x->run != y->run ? (x->run < y->run ? -1 : 1) : strcmp(x->file, y->file);
}

static void tell_lines(struct keeper *keeper, const struct lines *lines)
{
	struct keeper_sample samples[KEEPER_SAMPLES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < lines->n; i++) {
		const struct line *line = lines->items[i];

		samples[n++] = (struct keeper_sample){line->line, line->count};
		if (n < KEEPER_SAMPLES_MAX && i + 1 < lines->n && !by_file(&lines->items[i], &lines->items[i + 1]))
			continue;
		keeper_samples(keeper, line->run, line->file, samples, n);
		n = 0;
	}
}

static struct lines take_lines(struct sampling *s)
{
	struct lines lines;

	pthread_mutex_lock(&s->lock);
	lines = s->lines;
	s->lines = (struct lines){0};
	pthread_mutex_unlock(&s->lock);
	return lines;
}

/* The keeper may be busy: nobody has to wait for the lock while it is told. */
void sampling_flush(struct sampling *s)
{
	struct lines lines;

	if (!s)
		return;
	lines = take_lines(s);
	if (lines.n)
		qsort(lines.items, lines.n, sizeof(*lines.items), by_file);
	tell_lines(s->keeper, &lines);
	lines_deinit(&lines);
}

void sampling_forget(struct sampling *s)
{
	struct lines lines;

	if (!s)
		return;
	lines = take_lines(s);
	lines_deinit(&lines);
}

/* -------------------------------------------------------------------------------------------------- the processes */

static struct member *find_member(struct sampling *s, pid_t pid)
{
	for (size_t i = 0; i < s->n_members; i++)
		if (s->members[i].pid == pid)
			return &s->members[i];
	return NULL;
}

static void free_member(struct member *m)
{
	run_deinit(&m->about);
	free(m->cwd);
}

static void drop_member(struct sampling *s, struct member *m)
{
	sampler_drop(&s->sampler, m->pid);
	free_member(m);
	*m = s->members[--s->n_members];
}

static int add_member(struct sampling *s, const struct news *news)
{
	struct member *members = realloc(s->members, (s->n_members + 1) * sizeof(*members));

	if (!members)
		return -ENOMEM;
	s->members = members;
	members[s->n_members] = (struct member){news->pid, news->run, procfs_cwd(news->pid), {0}};
	run_init(&members[s->n_members++].about);
	return sampler_add(&s->sampler, news->pid);
}

/* Who waits for it is told. */
static int write_profile(struct sampling *s)
{
	struct profile_view view = {0};
	char what[1024];
	int r;

	result_name(what, sizeof(what), s->options.pids.n ? s->options.pids.items[0] : 0,
		    s->options.pids.n ? NULL : s->options.command);
	r = sampler_describe(&s->sampler, what);
	if (r == 0 && result_write(&s->sampler, s->options.format, &view, s->options.output) < 0)
		log_debug("there is no profile");
	pthread_mutex_lock(&s->lock);
	s->n_written++;
	pthread_cond_broadcast(&s->written);
	pthread_mutex_unlock(&s->lock);
	return r;
}

void sampling_write(struct sampling *s)
{
	const struct news news = {0};

	if (!s || !s->profile)
		return;
	pthread_mutex_lock(&s->lock);
	if (write(s->news[1], &news, sizeof(news)) == sizeof(news))
		s->n_asked++;
	while (s->n_written < s->n_asked && !s->is_over)
		pthread_cond_wait(&s->written, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static int hear(struct sampling *s)
{
	struct news news;
	int r = 0;

	while (r == 0 && read(s->news[0], &news, sizeof(news)) == sizeof(news)) {
		struct member *m = news.pid ? find_member(s, news.pid) : NULL;

		if (!news.pid)
			r = write_profile(s);
		else if (m && !news.run)
			drop_member(s, m);
		else if (m)
			m->run = news.run;
		else if (news.run)
			r = add_member(s, &news);
	}
	return r;
}

/* ---------------------------------------------------------------------------------------------------- the samples */

/* The absolute name of a file, or NULL if it stands for none, as <string>. */
static const char *full_name(const struct member *m, const char *file, char buf[PATH_MAX])
{
	if (*file == '<' || !*file || strlen(file) >= PATH_MAX)
		return NULL;
	if (*file == '/')
		return file;
	return m->cwd && snprintf(buf, PATH_MAX, "%s/%s", m->cwd, file) < PATH_MAX ? buf : NULL;
}

static void note_interpreter(struct member *m, const struct target *t)
{
	if (m->about.hexversion)
		return;
	run_note_process(&m->about, m->pid);
	m->about.hexversion = t->runtime.py->hexversion;
	m->about.library = t->runtime.path ? strdup(t->runtime.path) : NULL;
}

enum { MARK_UNKNOWN, MARK_UNWANTED, MARK_WANTED }; /* of a pycode_line; its tag is the profile's */

/* 1 if its file is wanted. */
static int is_wanted(struct sampling *s, struct member *m, const struct pyframe *frame)
{
	struct pycode_line *line = frame->offset >= 0 ? pycode_find_line(frame->code, (uint32_t)frame->offset) : NULL;
	const char *name, *path = NULL;
	char buf[PATH_MAX];
	int r = 0;

	if (line && line->mark != MARK_UNKNOWN)
		return line->mark == MARK_WANTED;
	name = full_name(m, frame->code->filename, buf);
	if (name)
		r = recorder_judge(&s->judge, &m->about, name, &path);
	if (line && r == 0)
		line->mark = path ? MARK_WANTED : MARK_UNWANTED;
	return r < 0 ? r : path != NULL;
}

static int on_sample(void *arg, const struct target *t, const struct pystack *stack)
{
	struct sampling *s = arg;
	struct member *m = find_member(s, t->pid);
	struct line_key key = {0};
	char buf[PATH_MAX];
	int r = 0;

	if (!m)
		return 0;
	note_interpreter(m, t);
	for (size_t i = 0; i < stack->n && r == 0; i++) {
		r = is_wanted(s, m, &stack->frames[i]);
		if (r != 1)
			continue;
		key = (struct line_key){m->run, pyframe_line(&stack->frames[i]),
					full_name(m, stack->frames[i].code->filename, buf)};
		if (key.line && key.file)
			return count_line(s, &key);
		r = 0;
	}
	return r;
}

/* ------------------------------------------------------------------------------------------------------ the thread */

/* Where nothing is sampled, nothing is done until there is news. */
static void wait_for_news(struct sampling *s)
{
	struct pollfd p = {.fd = s->news[0], .events = POLLIN};

	if (!s->n_members)
		poll(&p, 1, -1);
}

static void *run(void *arg)
{
	struct sampling *s = arg;
	int r = 0;

	while (r >= 0 && !s->stop) {
		uint64_t now;

		wait_for_news(s);
		r = hear(s);
		if (r == 0 && s->n_members)
			r = sampler_run(&s->sampler, sampler_now() + SLICE_NS, &s->stop);
		now = sampler_now();
		if (now < s->flush_ns)
			continue;
		sampling_flush(s);
		s->flush_ns = now + FLUSH_NS;
	}
	if (r < 0)
		log_warning("sampling ended: %s", strerror(-r));
	pthread_mutex_lock(&s->lock);
	s->is_over = true;
	pthread_cond_broadcast(&s->written);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void free_members(struct sampling *s)
{
	for (size_t i = 0; i < s->n_members; i++)
		free_member(&s->members[i]);
	free(s->members);
}

void sampling_free(struct sampling *s)
{
	if (!s)
		return;
	s->stop = 1;
	cleanup_closep(&s->news[1]); /* which wakes it, should it wait */
	if (s->is_started)
		pthread_join(s->thread, NULL);
	cleanup_closep(&s->news[0]);
	sampler_deinit(&s->sampler);
	profile_free(s->profile);
	lines_deinit(&s->lines);
	free_members(s);
	s->judge.selection = NULL; /* is not its own */
	recorder_deinit(&s->judge);
	pthread_cond_destroy(&s->written);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int start(struct sampling *s)
{
	int r = -pthread_create(&s->thread, NULL, run, s);

	s->is_started = r == 0;
	return r;
}

static void init_judge(struct sampling *s, const struct options *options, const struct selection *selection)
{
	s->options = *options;
	s->options.debug = (struct string_list){0};
	s->judge.options = &s->options;
	s->judge.selection = (struct selection *)selection;
	s->judge.file.dirfd = -1;
	record_init(&s->judge.record);
}

static int sampling_new(const struct options *o, const struct selection *selection, struct keeper *keeper,
			struct sampling **ret)
{
	struct sampling *s = calloc(1, sizeof(*s));
	struct sampler_options options = {.rate = o->rate, .on_sample = on_sample, .arg = s};
	struct profile_options limits = {.keep_order = o->format && o->format->keep_order};
	int r;

	if (!s)
		return -ENOMEM;
	init_judge(s, o, selection);
	s->keeper = keeper;
	s->news[0] = s->news[1] = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->written, NULL);
	hash_key_init(&s->key);
	r = o->output ? profile_new(&limits, &s->profile) : 0;
	if (r == 0)
		r = sampler_init(&s->sampler, &options, s->profile);
	if (r == 0 && pipe2(s->news, O_CLOEXEC | O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0)
		r = start(s);
	if (r < 0)
		sampling_free(s);
	else
		*ret = s;
	return r;
}

void sampling_tell(struct sampling **s, const struct options *options, const struct selection *selection,
		   struct keeper *keeper, pid_t pid, uint32_t run)
{
	struct news news = {pid, run};
	int r;

	if (!*s && !run)
		return;
	r = *s ? 0 : sampling_new(options, selection, keeper, s);
	if (r == 0 && write((*s)->news[1], &news, sizeof(news)) == sizeof(news))
		return;
	/* A full pipe: the thread is far behind, and this process is not sampled. */
	log_debug("pid %d is not sampled: %s", pid, strerror(r < 0 ? -r : errno));
}
