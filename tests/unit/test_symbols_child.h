/** A Python that runs a program until it is killed, whose memory is looked at, recorded, and changed in the record. */
#pragma once

#include "test_symbols_pythons.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../fuzz/memory_image.h"
#include "attach/procfs.h"
#include "attach/remote.h"
#include "symbols/cpython.h"

struct child {
	pid_t pid;
	int in, out;
};

/** Its output is still to be read. */
static inline struct child child_begin(const struct test_python *python, const char *program)
{
	int in[2], out[2];
	struct child child;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	child.pid = fork();
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl(python->command, python->command, "-c", program, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	child.out = out[0];
	child.in = in[1];
	return child;
}

/** It has said a line. */
static inline struct child child_start(const struct test_python *python, const char *program)
{
	struct child child = child_begin(python, program);
	char c = 0;

	while (c != '\n')
		assert_int_equal(read(child.out, &c, 1), 1);
	return child;
}

static inline void child_end(struct child *child)
{
	close(child->in);
	close(child->out);
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
}

struct place {
	const struct elf_image *image;
	struct stat file;
	uint64_t bias;
};

static inline int find_bias(const struct procfs_map *map, void *arg)
{
	struct place *place = arg;

	return map->ino == place->file.st_ino && map->executable &&
	       elf_image_bias(place->image, map->offset, map->start, true, &place->bias) == 0;
}

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Change some words: to any value, to another word of the memory, to an address, to a number near 2^63. */
static inline void image_spoil(struct memory_image *image, uint64_t *state)
{
	for (uint64_t n = 1 + next_random(state) % 8; n; n--) {
		size_t at = image_head(image) + next_random(state) % (image->size - image_head(image) - 8) / 8 * 8;
		uint64_t value = next_random(state);

		switch (next_random(state) % 5) {
		case 0:
			break;
		case 1:
			value = image_u64(image,
					  image_head(image) + value % (image->size - image_head(image) - 8) / 8 * 8);
			break;
		case 2:
			value = image->pieces[value % image->n].addr;
			break;
		case 3:
			value = ((uint64_t)1 << 63) - value % 64;
			break;
		case 4:
			value %= 256;
			break;
		}
		memcpy(image->bytes + at, &value, sizeof(value));
	}
}

static inline double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The processor time in seconds that the longest of @times walks took, each of @image with other words changed. */
static inline double image_walk_spoilt(const struct memory_image *image, int times, uint64_t state,
				       void (*walk)(struct memory_image *image))
{
	static struct memory_image spoilt;
	unsigned char *bytes = malloc(image->size);
	double longest = 0;

	assert_non_null(bytes);
	for (int i = 0; i < times; i++) {
		double start;

		spoilt = *image;
		spoilt.bytes = memcpy(bytes, image->bytes, image->size);
		image_spoil(&spoilt, &state);
		start = cpu_seconds();
		walk(&spoilt);
		start = cpu_seconds() - start;
		longest = start > longest ? start : longest;
	}
	free(bytes);
	return longest;
}

/* Into the folder that the environment's @variable names, if any: a seed for fuzzing. */
static inline void image_save_seed(const char *variable, const struct test_python *python,
				   const struct memory_image *image)
{
	const char *dir = getenv(variable);
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX];

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, python->name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(image->bytes, 1, image->size, file), image->size);
}
