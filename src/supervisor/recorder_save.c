/*
 * The data file of a recording: what it held before, and how what was recorded is put there, instead of that or in
 * addition to it, or into a file for each process.
 */
#include "supervisor/recorder.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/log.h"

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

int recorder_open_file(struct recorder *r)
{
	const char *name = r->options->data_file;
	int ret = datafile_init(&r->file, name);

	if (ret == 0)
		look_at_file(r, &r->before);
	r->last = r->before;
	if (ret == 0)
		ret = datafile_check_writable(&r->file);
	if (ret < 0) {
		snprintf(r->why, sizeof(r->why), "cannot write %s: %s", name, r->file.why);
		return ret;
	}
	return r->options->append ? check_appendable(r) : 0;
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
