#include "supervisor/kept.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/complaint.h"
#include "supervisor/keeper.h"
#include "symbols/cpython.h"

#define LOOK_PERIOD_MAX 5000	 /* milliseconds between looks, at most */
#define LOOK_REST 10		 /* how many times as long as a look takes there is none after it */
#define SAMPLED_FILES_MAX 100000 /* of one run, that are not in the record (yet) */

struct kept *kept_new(void)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (k) {
		run_init(&k->run);
		record_init(&k->record);
		record_init(&k->sampled);
		k->file.dirfd = -1;
	}
	return k;
}

void kept_free(struct kept *k)
{
	run_deinit(&k->run);
	record_deinit(&k->record);
	record_deinit(&k->sampled);
	drained_deinit(&k->drained);
	datafile_deinit(&k->file);
	free(k);
}

struct record *kept_record(struct kept *k, struct recorder *recorder)
{
	return recorder->options->parallel_mode ? &k->record : &recorder->record;
}

int kept_drain(struct kept *k, struct recorder *recorder)
{
	struct record *record = kept_record(k, recorder);
	int r = recorder_drain(recorder, &k->run, record, &k->drained);

	k->is_dirty = false;
	return r < 0 ? r : recorder_add_samples(recorder, &k->run, record, &k->sampled);
}

int kept_drain_early(struct kept *k, struct recorder *recorder)
{
	return recorder_drain_early(recorder, &k->run, kept_record(k, recorder), &k->drained);
}

void kept_look_in(struct kept *k, int64_t wait)
{
	k->look_wait = wait;
	k->look_at = clock_ms() + wait;
}

void kept_looked(struct kept *k, int64_t took)
{
	kept_look_in(k, k->look_wait * 2 < LOOK_PERIOD_MAX ? k->look_wait * 2 : LOOK_PERIOD_MAX);
	k->look_at += LOOK_REST * took;
}

int kept_add_samples(struct kept *k, const char *name, const unsigned char *samples, size_t n)
{
	struct record *sampled = &k->sampled;
	struct record_file *file = NULL;
	int r = sampled->files.count < SAMPLED_FILES_MAX ? record_file_get(sampled, name, &file) : 0;

	for (size_t i = 0; file && i < n && r == 0; i++) {
		struct keeper_sample sample;

		memcpy(&sample, samples + i * sizeof(sample), sizeof(sample));
		r = record_file_add_samples(file, sample.line, sample.count);
		r = r == -ERANGE ? 0 : r;
	}
	return r;
}

void kept_reset(struct kept *k)
{
	if (region_forget_lines(k->run.region_fd) < 0)
		log_error("the data of pid %d is damaged", k->run.pid);
	drained_deinit(&k->drained);
	record_deinit(&k->record);
	record_init(&k->record);
	record_deinit(&k->sampled);
	record_init(&k->sampled);
}

uint32_t kept_dropped(const struct kept *k)
{
	struct region_counters c;

	region_read_counters(k->run.region_fd, &c);
	return c.dropped_files + c.dropped_lines + c.dropped_code;
}

void kept_describe(const struct kept *k, pid_t pid)
{
	const struct run *run = &k->run;
	char version[CPYTHON_VERSION_SIZE];
	const char *command = run->command ? run->command : "?", *complaint;
	struct region_counters c;

	region_read_counters(run->region_fd, &c);
	complaint = complaint_of(c.status);
	if (complaint)
		log_warning("%s (pid %d) is not measured: %s", command, pid, complaint);
	log_info("pid %d: Python %s: %s", pid, cpython_version_format(run->hexversion, version), command);
}
