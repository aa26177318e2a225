#include "supervisor/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/control.h"
#include "supervisor/keeper_message.h"
#include "supervisor/kept.h"

/* Milliseconds from a program's start to the first look at its region. */
#define FIRST_LOOK 6
#define FIRST_LOOK_AT_ANOTHER 100
#define FIRST_LOOK_AT_ATTACHED 500 /* by when what ran for the first time has */
#define OUTLIVE_PERIOD 50	   /* milliseconds between looks at regions that nobody reports on */
/* A keeper that was killed may close its sockets only after another one has begun: how long that asks for their names. */
#define LISTEN_PATIENCE 10000
#define LISTEN_PERIOD 20

/* The whole of it. */
struct state {
	struct recorder *recorder;
	struct kept *runs;
	int socket; /* -1: the supervisor is gone */
	pid_t supervisor;
	int listeners[2];      /* control.h: by its pid, and by the data file; negative: none */
	int64_t listens_until; /* when to give up asking for the names of those that are missing; CLOCK_MONOTONIC, ms */
	int message_fd;
	unsigned int n_measured;
	uint32_t dropped;
	bool unsaved;
	bool had_look;
	bool is_successor;		/* what was before is known in part only */
	bool is_told;			/* a successor: of all runs that there were */
	bool has_runs, has_lines;	/* there was a program, and a line of any file, in any record */
	char failure[CONTROL_TEXT_MAX]; /* of the latest save; "": none */
	int resetter;			/* who asked for a reset and waits for the answer; 0: nobody */
	int64_t start;			/* CLOCK_MONOTONIC, ms */
	int64_t next_save;		/* --save-every: when it is due */
	size_t watched_lines;		/* what whoever shows them all the time was told last, and when; 0: not yet */
	int64_t watched_at;
	int64_t may_save; /* when the next write of the file is due, at the earliest; CLOCK_MONOTONIC, ms */
};

static bool is_parallel(const struct state *s)
{
	return s->recorder->options->parallel_mode;
}

static void drain(struct state *s, struct kept *k)
{
	int r = kept_drain(k, s->recorder);

	s->has_lines |= record_has_lines(kept_record(k, s->recorder));
	/* Of one that was attached to and turned out to be refused nothing is written over what there is. */
	s->unsaved |= s->has_lines || !s->recorder->options->pids.n;
	if (r < 0)
		log_error("the data of pid %d is damaged or did not fit: %s", k->run.pid, strerror(-r));
}

static void drain_all(struct state *s)
{
	for (struct kept *k = s->runs; k; k = k->next)
		drain(s, k);
}

static void write_file(struct state *s, struct datafile *file, struct record *record)
{
	int r = recorder_save(s->recorder, file, record);

	if (r == 0)
		return;
	snprintf(s->failure, sizeof(s->failure), "cannot write %.200s: %.200s", file->path, file->why);
	log_error("%s", s->failure);
}

static void add_unexecuted(struct state *s, struct record *record)
{
	if (recorder_add_unexecuted(s->recorder, record) < 0)
		log_error("the files that never ran could not all be added: out of memory");
}

static void save_own_file(struct state *s, struct kept *k)
{
	int r = k->file.dirfd < 0 ? recorder_parallel_file(s->recorder, k->run.ns_pid, &k->file) : 0;

	if (r < 0) {
		log_error("the data of pid %d cannot be written: %s", k->run.pid, strerror(-r));
		return;
	}
	add_unexecuted(s, &k->record);
	write_file(s, &k->file, &k->record);
}

static void save(struct state *s)
{
	int64_t start = clock_ms();

	for (struct kept *k = s->runs; k; k = k->next)
		if (k->is_dirty)
			drain(s, k);
	s->unsaved = false;
	s->failure[0] = 0;
	if (!is_parallel(s))
		write_file(s, &s->recorder->file, &s->recorder->record);
	else
		for (struct kept *k = s->runs; k; k = k->next)
			save_own_file(s, k);
	/* A tree of short processes must not keep us writing the same large file all the time. */
	s->may_save = clock_ms() + 10 * (clock_ms() - start);
}

/* The last process of a run is gone, and what it left was drained. */
static void forget(struct state *s, struct kept **at)
{
	struct kept *k = *at;

	s->dropped += kept_dropped(k);
	if (is_parallel(s))
		save_own_file(s, k);
	*at = k->next;
	kept_free(k);
}

/*
 * What the first one teaches of its interpreter is good for the others, which may be many, and short. The end of what was
 * attached to waits for nobody, and what it does now somebody may wait for: a server, which leaves no processor idle.
 */
static int64_t time_to_first_look(const struct state *s)
{
	if (s->recorder->options->pids.n)
		return FIRST_LOOK_AT_ATTACHED;
	return s->had_look ? FIRST_LOOK_AT_ANOTHER : FIRST_LOOK;
}

static void add(struct state *s, const struct message *m, size_t len, int *fds)
{
	struct kept *k = kept_new();

	if (!k || run_decode(m->run, len, &k->run) < 0) {
		if (k)
			kept_free(k);
		log_error("a program could not be kept: out of memory");
		return;
	}
	k->run.region_fd = take_fd(fds[0]);
	if (!region_is_valid(k->run.region_fd)) {
		log_error("the data of pid %d cannot be read", k->run.pid);
		kept_free(k);
		return;
	}
	k->run.root_fd = take_fd(fds[1]);
	kept_look_in(k, time_to_first_look(s));
	k->next = s->runs;
	s->runs = k;
	s->has_runs = true;
}

static void end(struct state *s, const struct message *m, bool last)
{
	for (struct kept **at = &s->runs; *at; at = &(*at)->next) {
		if ((*at)->run.id != m->id)
			continue;
		if (m->pid) {
			s->n_measured++;
			kept_describe(*at, m->pid);
		}
		if (last) {
			/* What is sealed need not be copied. */
			(void)region_is_over((*at)->run.region_fd);
			drain(s, *at);
			forget(s, at);
		} else {
			/* Its lines are safe in the region; many forks that end are drained at once. */
			(*at)->is_dirty = s->unsaved = true;
		}
		return;
	}
}

static void on_samples(struct state *s, const struct message *m, size_t len)
{
	size_t n = m->pid > 0 ? (size_t)m->pid : 0, size = n * sizeof(struct keeper_sample);
	_cleanup_free_ char *name = size < len ? strndup((const char *)m->run + size, len - size) : NULL;

	for (struct kept *k = s->runs; k && name; k = k->next)
		if (k->run.id == m->id && kept_add_samples(k, name, m->run, n) < 0)
			log_error("samples of pid %d are lost: out of memory", k->run.pid);
}

struct totals {
	size_t files, lines;
};

static struct totals totals_of(const struct record *record)
{
	struct totals t = {0};

	for (size_t i = 0; i < record->files.n_slots; i++) {
		const struct record_file *f = record->files.slots[i].entry;
		size_t lines = f ? record_file_executed(f) : 0;

		t.files += lines > 0;
		t.lines += lines;
	}
	return t;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static unsigned int processes_of(const struct state *s)
{
	unsigned int n = 0;

	for (const struct kept *k = s->runs; k; k = k->next)
		n++;
	return n;
}

/* "2 processes, 10 files, 300 lines". Returns how many lines. */
static size_t say_totals(const struct state *s, unsigned int processes, char *text, size_t size)
{
	struct totals t = totals_of(&s->recorder->record);

	for (const struct kept *k = s->runs; is_parallel(s) && k; k = k->next) {
		struct totals own = totals_of(&k->record);

		t.files += own.files;
		t.lines += own.lines;
	}
	snprintf(text, size, "%u process%s, %zu file%s, %zu line%s", processes, processes == 1 ? "" : "es", t.files,
		 plural(t.files), t.lines, plural(t.lines));
	return t.lines;
}

static void send_finished(struct state *s)
{
	char text[CONTROL_TEXT_MAX], word[2 * CONTROL_TEXT_MAX];
	int n;

	say_totals(s, s->n_measured + processes_of(s), text, sizeof(text));
	if (s->failure[0])
		n = snprintf(word, sizeof(word), "%c%s; %s", WORD_UNWRITTEN, text, s->failure);
	else
		n = snprintf(word, sizeof(word), "%c%s; data in %s%s", WORD_FINISHED, text, s->recorder->file.path,
			     is_parallel(s) ? ".*" : "");
	if (n > CONTROL_TEXT_MAX)
		n = CONTROL_TEXT_MAX;
	(void)!send(s->socket, word, (size_t)n, MSG_NOSIGNAL);
}

static void stop_listening(struct state *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->listeners); i++) {
		cleanup_closep(&s->listeners[i]);
		s->listeners[i] = -1;
	}
}

/* Whoever reads our standard error to its end does not wait for us. */
static void fall_silent(struct state *s)
{
	log_set_fd(-1);
	cleanup_closep(&s->message_fd);
	s->message_fd = -1;
}

/* With the names that coverage.py gives such warnings. Without a selection, who ran `python --version` need not be told. */
static void warn(const struct state *s, bool python_ran)
{
	const struct recorder *r = s->recorder;
	bool says_empty = recorder_warns_of(r, "no-data-collected");

	if (s->is_successor)
		return;
	if (s->has_runs)
		recorder_warn(r);
	else if (!python_ran && says_empty)
		log_warning("%s ran no Python: nothing was measured (no-data-collected)", r->options->command[0]);
	if (s->has_runs && says_empty && !s->has_lines && !r->has_old_data && selection_is_given(r->selection))
		log_warning("No data was collected. (no-data-collected)");
}

/* More than once for a command that is the first process of a container: told before its end, and after. */
static void finish(struct state *s, bool python_ran)
{
	drain_all(s);
	if (!is_parallel(s))
		add_unexecuted(s, &s->recorder->record);
	save(s);
	warn(s, python_ran);
	if (s->dropped)
		log_warning("%u lines, files or functions did not fit and are missing", s->dropped);
	log_info("%u Python %s measured, data in %s%s", s->n_measured, s->n_measured == 1 ? "process" : "processes",
		 s->recorder->file.path, is_parallel(s) ? ".*" : "");
	fall_silent(s);
	/* The next one may write the same file as soon as we have said that ours is there. */
	if (!s->runs)
		stop_listening(s);
	send_finished(s);
}

/* What was recorded is dropped at once; that it counts again is the supervisor's work. */
static void reset(struct state *s, int client)
{
	const char word = WORD_RESET;

	if (s->resetter)
		return control_answer(client, "a reset is under way");
	if (s->socket < 0)
		return control_answer(client, "its supervisor is gone");
	for (struct kept *k = s->runs; k; k = k->next)
		kept_reset(k);
	record_deinit(&s->recorder->record);
	record_init(&s->recorder->record);
	s->resetter = client;
	(void)!send(s->socket, &word, 1, MSG_NOSIGNAL);
}

static void reset_done(struct state *s, unsigned int n_left)
{
	char text[CONTROL_TEXT_MAX] = "";

	if (!s->resetter)
		return;
	if (n_left)
		snprintf(text, sizeof(text), "%u process%s sleep%s, and will be reset on waking", n_left,
			 n_left == 1 ? "" : "es", n_left == 1 ? "s" : "");
	control_answer(s->resetter, text);
	s->resetter = 0;
}

/* How many lines are new in a second, since this was asked for last. After a reset there are fewer than there were. */
static size_t new_per_second(struct state *s, size_t lines, int64_t now)
{
	int64_t since = s->watched_at ? s->watched_at : s->start, took = now > since ? now - since : 1;
	size_t n = lines > s->watched_lines ? (lines - s->watched_lines) * 1000 / (size_t)took : 0;

	s->watched_at = now;
	s->watched_lines = lines;
	return n;
}

static void status(struct state *s, int client, bool is_watched)
{
	int64_t now = clock_ms();
	char text[CONTROL_TEXT_MAX];
	size_t lines, n;

	drain_all(s);
	lines = say_totals(s, processes_of(s), text, sizeof(text));
	n = strlen(text);
	if (is_watched)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " (%zu new per second)",
				      new_per_second(s, lines, now));
	snprintf(text + n, sizeof(text) - n, ", %lld s", (long long)(now - s->start) / 1000);
	control_answer(client, text);
}

static ssize_t receive(int socket, struct message *m, int fds[2])
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {m, sizeof(*m)};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	fds[0] = fds[1] = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < 2 * sizeof(int) ? sizeof(int) : 2 * sizeof(int));
	return n;
}

/* False when the supervisor has gone. */
static bool handle_message(struct state *s)
{
	struct message m;
	int fds[2];
	ssize_t n = receive(s->socket, &m, fds);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if ((size_t)n < MESSAGE_HEAD)
		return false;
	switch ((enum message_kind)m.kind) {
	case MESSAGE_ADD:
		add(s, &m, (size_t)n - MESSAGE_HEAD, fds);
		break;
	case MESSAGE_END:
	case MESSAGE_LAST_END:
		end(s, &m, m.kind == MESSAGE_LAST_END);
		break;
	case MESSAGE_SAVE:
		drain_all(s);
		save(s);
		break;
	case MESSAGE_FINISH:
		finish(s, m.python_ran);
		break;
	case MESSAGE_RESET_DONE:
		reset_done(s, m.id);
		break;
	case MESSAGE_ALL_TOLD:
		s->is_told = true;
		break;
	case MESSAGE_SAMPLES:
		on_samples(s, &m, (size_t)n - MESSAGE_HEAD);
		break;
	}
	cleanup_closep(&fds[0]);
	cleanup_closep(&fds[1]);
	return true;
}

static void prepare_file(struct state *s)
{
	/* With --append another record is written, this one and what there is. */
	if (!is_parallel(s))
		datafile_prepare(&s->recorder->file, s->recorder->options->append ? NULL : &s->recorder->record);
}

/*
 * While nothing is to be heard: do beforehand what else the end of the command, and its parent, would have to wait for.
 * What comes of it is not saved for that.
 */
static void look_ahead(struct state *s)
{
	int64_t now = clock_ms();

	for (struct kept *k = s->runs; k; k = k->next) {
		int64_t start = clock_ms();

		if (now < k->look_at)
			continue;
		if (kept_drain_early(k, s->recorder) == 0) {
			s->had_look = true;
			prepare_file(s);
		}
		kept_looked(k, clock_ms() - start);
	}
	if (s->had_look)
		recorder_find_unexecuted(s->recorder);
}

static int64_t next_look(const struct state *s)
{
	int64_t due = INT64_MAX;

	for (const struct kept *k = s->runs; k; k = k->next)
		if (k->look_at < due)
			due = k->look_at;
	return due;
}

/* For requests, by the names that are free. */
static void listen_for_requests(struct state *s)
{
	char name[CONTROL_NAME_MAX];

	control_name_of_pid(s->supervisor, name);
	if (s->listeners[0] < 0)
		s->listeners[0] = control_listen(name);
	if (s->listeners[1] < 0)
		s->listeners[1] = control_name_of_file(&s->recorder->file, name) < 0 ? -1 : control_listen(name);
}

static bool is_to_listen(const struct state *s)
{
	return (s->listeners[0] == -EADDRINUSE || s->listeners[1] == -EADDRINUSE) && clock_ms() < s->listens_until;
}

/* Until something is due: a write of the file, a look at a region. */
static int time_to_wait(const struct state *s)
{
	int64_t due = s->unsaved ? s->may_save : INT64_MAX, now = clock_ms(), look = next_look(s);

	if (s->next_save && s->next_save < due)
		due = s->next_save;
	if (look < due)
		due = look;
	if (is_to_listen(s) && now + LISTEN_PERIOD < due)
		due = now + LISTEN_PERIOD;
	if (due == INT64_MAX)
		return -1;
	return due <= now ? 0 : due - now > 1000000 ? 1000000 : (int)(due - now);
}

static void save_if_due(struct state *s)
{
	int64_t now = clock_ms();

	if (s->next_save && now >= s->next_save) {
		drain_all(s);
		s->next_save = now + s->recorder->options->save_every;
	}
	if (s->unsaved && now >= s->may_save)
		save(s);
}

static void handle_request(struct state *s, int listener)
{
	char request[CONTROL_TEXT_MAX];
	int fd = control_accept(listener, request);

	if (fd < 0)
		return;
	if (!strcmp(request, "reset"))
		return reset(s, fd);
	if (!strcmp(request, "status") || !strcmp(request, "watch"))
		return status(s, fd, *request == 'w');
	if (strcmp(request, "save"))
		return control_answer(fd, "unknown request");
	drain_all(s);
	save(s);
	control_answer(fd, s->failure);
}

#define MESSAGES_AT_ONCE 1000

/* All that it has said by now: who was told that a program is attached to may ask for its data at once. False when it has
 * gone. */
static bool hear_supervisor(struct state *s)
{
	struct pollfd p = {.fd = s->socket, .events = POLLIN};

	for (int i = 0; i < MESSAGES_AT_ONCE && poll(&p, 1, 0) > 0; i++)
		if (!handle_message(s))
			return false;
	return true;
}

/* Wait for what is said, at most @timeout milliseconds. False when the supervisor has gone. */
static bool listen_to_all(struct state *s, int timeout, bool *heard)
{
	struct pollfd p[] = {{.fd = s->socket, .events = POLLIN},
			     {.fd = s->listeners[0], .events = POLLIN},
			     {.fd = s->listeners[1], .events = POLLIN}};
	bool goes_on;

	*heard = poll(p, ARRAY_SIZE(p), timeout) > 0;
	goes_on = !*heard || hear_supervisor(s);
	for (size_t i = 0; *heard && i < ARRAY_SIZE(s->listeners); i++)
		if (p[1 + i].revents)
			handle_request(s, s->listeners[i]);
	return goes_on;
}

static void serve(struct state *s)
{
	bool heard;

	while (listen_to_all(s, time_to_wait(s), &heard)) {
		if (is_to_listen(s))
			listen_for_requests(s);
		/* Nothing more to hear for now: a good moment to write. */
		if (!heard || s->next_save)
			save_if_due(s);
		if (!heard)
			look_ahead(s);
	}
	cleanup_closep(&s->socket);
	s->socket = -1;
}

/* Nobody tells us any more when a program ends: ask its region. */
static void outlive(struct state *s)
{
	bool heard;

	while (s->runs) {
		for (struct kept **at = &s->runs; *at;) {
			if (!region_is_over((*at)->run.region_fd)) {
				at = &(*at)->next;
				continue;
			}
			drain(s, *at);
			forget(s, at);
		}
		save_if_due(s);
		if (s->runs)
			listen_to_all(s, OUTLIVE_PERIOD, &heard);
	}
}

static void begin_to_listen(struct state *s)
{
	listen_for_requests(s);
	/* Of others that write it a successor need not speak: the one before has. */
	if (s->is_successor)
		s->listens_until = clock_ms() + LISTEN_PATIENCE;
	else if (s->listeners[1] == -EADDRINUSE && !s->recorder->options->append && !is_parallel(s))
		log_warning("another pycov-trace writes %s as well: the last one to end wins", s->recorder->file.path);
}

void keeper_run(int socket, pid_t supervisor, struct recorder *recorder, int message_fd, bool is_successor)
{
	struct state s = {.recorder = recorder,
			  .socket = socket,
			  .message_fd = message_fd,
			  .is_successor = is_successor,
			  .supervisor = supervisor,
			  .listeners = {-1, -1},
			  .start = clock_ms()};

	if (is_successor) {
		recorder_resume(recorder);
		/* Who asks for the data now asks for that of all. */
		while (!s.is_told && handle_message(&s))
			;
	}
	begin_to_listen(&s);
	if (recorder->options->save_every)
		s.next_save = clock_ms() + recorder->options->save_every;
	serve(&s);
	waitpid(supervisor, NULL, 0);
	/* What was attached to may run for long. */
	if (recorder->options->pids.n)
		fall_silent(&s);
	outlive(&s);
	if (s.unsaved)
		save(&s);
	cleanup_closep(&s.message_fd);
	stop_listening(&s);
}
