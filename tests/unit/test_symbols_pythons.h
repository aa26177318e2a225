/**
 * The interpreters that the tests of symbols/ look at: those of the table that tests/pythons writes
 * ($PYCOV_TRACE_PYTHONS, else the one in its cache), or pyenv's when there is no table.
 */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "symbols/elf_image.h"

#define TEST_PYTHONS_MAX 32

struct test_python {
	char name[64], version[32], command[PATH_MAX];
	char image[PATH_MAX]; /* the file that holds the runtime, as we see it */
	unsigned int minor;
};

/* libpython3.X.so.1.0 in the lib folder beside the bin folder of @p exe. */
static inline void test_python_set_library(struct test_python *python, const char *exe)
{
	char dir[PATH_MAX], *slash;

	snprintf(dir, sizeof(dir), "%s", exe);
	for (int i = 0; i < 2; i++) {
		slash = strrchr(dir, '/');
		assert_non_null(slash);
		*slash = '\0';
	}
	slash = NULL;
	assert_true(asprintf(&slash, "%s/lib/libpython3.%u.so.1.0", dir, python->minor) > 0);
	snprintf(python->image, sizeof(python->image), "%s", slash);
	free(slash);
}

/** Fill @p python from a line of the table: name, version, kind, command, exe, root, ... */
static inline int test_python_parse(struct test_python *python, char *line)
{
	char *field[6];

	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = strsep(&line, "\t\n");
		if (!field[i])
			return -EBADMSG;
	}
	if (sscanf(field[1], "3.%u", &python->minor) != 1)
		return -EBADMSG;
	snprintf(python->name, sizeof(python->name), "%s", field[0]);
	snprintf(python->version, sizeof(python->version), "%s", field[1]);
	snprintf(python->command, sizeof(python->command), "%s", field[3]);
	if (strcmp(field[2], "shared") == 0)
		test_python_set_library(python, field[4]);
	else
		snprintf(python->image, sizeof(python->image), "%s%s", strcmp(field[5], "-") == 0 ? "" : field[5],
			 field[4]);
	return 0;
}

static inline FILE *test_pythons_open_table(void)
{
	const char *path = getenv("PYCOV_TRACE_PYTHONS"), *home = getenv("HOME");
	char cached[PATH_MAX];

	if (path)
		return fopen(path, "re");
	snprintf(cached, sizeof(cached), "%s/.cache/pycov-trace/pythons.tsv", home ? home : "");
	return fopen(cached, "re");
}

static inline size_t test_pythons_from_pyenv(struct test_python *pythons)
{
	const char *home = getenv("HOME");
	_cleanup_closedir_ DIR *dir = NULL;
	char versions[PATH_MAX / 2];
	struct dirent *entry;
	size_t n = 0;

	snprintf(versions, sizeof(versions), "%s/.pyenv/versions", home ? home : "");
	dir = opendir(versions);
	while (dir && (entry = readdir(dir)) && n < TEST_PYTHONS_MAX) {
		struct test_python *python = &pythons[n];

		if (sscanf(entry->d_name, "3.%u.", &python->minor) != 1 || python->minor < 8)
			continue;
		snprintf(python->version, sizeof(python->version), "%.20s", entry->d_name);
		snprintf(python->name, sizeof(python->name), "pyenv-%u", python->minor);
		snprintf(python->command, sizeof(python->command), "%s/%.20s/bin/python3.%u", versions, entry->d_name,
			 python->minor);
		test_python_set_library(python, python->command);
		n++;
	}
	return n;
}

/** All interpreters; fails the test when there are none. */
static inline size_t test_pythons_load(struct test_python pythons[TEST_PYTHONS_MAX])
{
	_cleanup_fclose_ FILE *table = test_pythons_open_table();
	_cleanup_free_ char *line = NULL;
	size_t n = 0, size = 0;

	while (table && n < TEST_PYTHONS_MAX && getline(&line, &size, table) > 0) {
		if (test_python_parse(&pythons[n], line) == 0 && access(pythons[n].image, R_OK) == 0)
			n++;
		else if (strncmp(line, "name", 4) != 0)
			print_message("left out, because it is not there: %s\n", line);
	}
	if (n == 0)
		n = test_pythons_from_pyenv(pythons);
	if (n == 0)
		fail_msg("no interpreter found: run tests/pythons");
	return n;
}

/** Open the file at @p path as an image; fails the test if it is none. */
static inline struct elf_image *test_open_image(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_image *image = NULL;
	const char *reason = NULL;

	if (fd < 0 || elf_image_new(fd, &image, &reason) < 0)
		fail_msg("%s: %s", path, reason ? reason : "not readable");
	return image;
}

/** A private copy of the file at @p path, to be changed and opened as an image. */
static inline int test_copy_file(const char *path)
{
	_cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC);
	int to = memfd_create("copy", MFD_CLOEXEC);
	struct stat st;

	assert_true(from >= 0 && to >= 0);
	assert_int_equal(fstat(from, &st), 0);
	for (off_t done = 0; done < st.st_size;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)(st.st_size - done), 0);
		_cleanup_free_ char *buf = n > 0 ? NULL : malloc(1 << 20);

		/* Not all file systems can. */
		if (buf) {
			n = read(from, buf, 1 << 20);
			assert_true(n > 0);
			assert_int_equal(write(to, buf, (size_t)n), n);
		}
		done += n;
	}
	return to;
}

/** Write at the place in the file open at @p fd that holds @p vaddr of @p image. */
static inline void test_poke(int fd, const struct elf_image *image, uint64_t vaddr, const void *bytes, size_t len)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (vaddr < segment->vaddr || vaddr - segment->vaddr >= segment->filesz)
			continue;
		assert_int_equal(pwrite(fd, bytes, len, (off_t)(segment->offset + vaddr - segment->vaddr)), len);
		return;
	}
	fail_msg("nothing at 0x%lx", vaddr);
}

/** The interpreter whose name begins with @p prefix; NULL, and a message, if there is none. */
static inline const struct test_python *test_python_find(const char *prefix)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);

	for (size_t i = 0; i < n; i++) {
		if (strncmp(pythons[i].name, prefix, strlen(prefix)) == 0)
			return &pythons[i];
	}
	print_message("left out, because there is no %s\n", prefix);
	return NULL;
}

typedef void test_python_fn(const struct test_python *python);

static inline void test_each(void **state)
{
	struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);
	test_python_fn **check = *state;

	for (size_t i = 0; i < n; i++)
		(*check)(&pythons[i]);
}

/** Run @p check on each interpreter, as the one test of a program; what main() returns. */
static inline int test_each_python(test_python_fn *check)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_each, &check)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
