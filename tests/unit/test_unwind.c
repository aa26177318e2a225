/* The stacks of children of ours, whose functions are where ours are. */
#include <elf.h>
#include <link.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach/procfs.h"
#include "attach/stop.h"
#include "attach/unwind.h"

#define SEEDS 150

#define FUNCTION __attribute__((noinline, noclone, section("known"), used))
/* Nothing is called last, so that each has its frame. */
#define STAY() __asm__ volatile("" ::: "memory")

static int ready_pipe[2];

FUNCTION static void wait_here(void)
{
	if (write(ready_pipe[1], "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

FUNCTION static int compare(const void *a, const void *b)
{
	wait_here();
	STAY();
	return 0;
}

FUNCTION static void sort(void)
{
	int numbers[] = {2, 1, 3};

	qsort(numbers, 3, sizeof(*numbers), compare);
	STAY();
}

FUNCTION static void on_signal(int signal)
{
	wait_here();
	STAY();
}

FUNCTION static void interrupted(void)
{
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	STAY();
}

/* push %rbx; call *%rdi; pop %rbx; ret: made at run time, nobody has written down how it is left. */
static const uint8_t made[] = {0x53, 0xff, 0xd7, 0x5b, 0xc3};

FUNCTION static void runs_made(void)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*f)(void (*)(void));

	if (code == MAP_FAILED)
		_exit(1);
	memcpy(code, made, sizeof(made));
	memcpy(&f, &(void *){code}, sizeof(f));
	f(wait_here);
	STAY();
}

/* It has come to pause(). */
static bool sleeps(pid_t pid)
{
	struct procfs_status status;

	assert_int_equal(procfs_status(pid, &status), 0);
	return status.state == 'S';
}

static pid_t start(void (*f)(void))
{
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready_pipe), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(ready_pipe[0]);
		f();
		_exit(1);
	}
	close(ready_pipe[1]);
	assert_int_equal(read(ready_pipe[0], &byte, 1), 1);
	close(ready_pipe[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

struct found {
	struct unwind_frame frames[UNWIND_DEPTH_MAX];
	size_t n;
	bool is_whole;
};

static void walk(struct unwinder *u, pid_t pid, struct found *found)
{
	_cleanup_thread_stop_ struct thread_stop stop = {0};

	while (!sleeps(pid)) /* as it does again after each stop, but not at once */
		sched_yield();
	assert_int_equal(thread_stop_begin(&stop, pid, true), 0);
	assert_int_equal(unwinder_walk(u, pid, found->frames, &found->n, &found->is_whole), 0);
	assert_in_range(found->n, 1, UNWIND_DEPTH_MAX);
}

/* Twice: what is remembered has to be the same. */
static void walk_twice(pid_t pid, struct found *found)
{
	struct unwinder *u;
	struct found again;

	assert_int_equal(unwinder_new(pid, &u), 0);
	walk(u, pid, found);
	walk(u, pid, &again);
	unwinder_free(u);
	assert_int_equal(again.n, found->n);
	assert_int_equal(again.is_whole, found->is_whole);
	assert_memory_equal(again.frames, found->frames, found->n * sizeof(*found->frames));
}

/* All functions above are in one section, of their own. */
extern const char __start_known[], __stop_known[];
typedef void (*function)(void);

static function function_at(uint64_t ip)
{
	static const function known[] = {wait_here,	      (function)compare, sort,
					 (function)on_signal, interrupted,	 runs_made};
	function found = NULL;

	if (ip < (uint64_t)(uintptr_t)__start_known || ip >= (uint64_t)(uintptr_t)__stop_known)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if ((uint64_t)(uintptr_t)known[i] <= ip && (uintptr_t)known[i] > (uintptr_t)found)
			found = known[i];
	return found;
}

/* The first frame from @from on that is in @f; fails if there is none. */
static size_t expect(const struct found *found, size_t from, function f, const char *name)
{
	for (; from < found->n; from++)
		if (function_at(found->frames[from].ip) == f)
			return from;
	fail_msg("no %s", name);
	return 0;
}
#define EXPECT(found, from, f) expect(found, from, (function)(f), #f)

static void test_callbacks(void **state)
{
	pid_t pid = start(sort);
	struct found found;
	size_t at;

	walk_twice(pid, &found);
	end(pid);
	assert_true(found.is_whole);
	at = EXPECT(&found, 0, wait_here);
	assert_true(at > 0); /* pause() */
	assert_int_equal(EXPECT(&found, at, compare), at + 1);
	assert_true(EXPECT(&found, at, sort) > at + 2); /* qsort() */
	for (size_t i = 1; i < found.n; i++)
		assert_true(found.frames[i].sp > found.frames[i - 1].sp);
}

static void test_signal(void **state)
{
	pid_t pid = start(interrupted);
	struct found found;
	size_t at;

	walk_twice(pid, &found);
	end(pid);
	assert_true(found.is_whole);
	at = EXPECT(&found, 0, on_signal);
	assert_true(EXPECT(&found, at, interrupted) > at + 1); /* raise(), and the return from the signal */
}

static void test_no_table(void **state)
{
	pid_t pid = start(runs_made);
	struct found found;
	size_t at;

	walk_twice(pid, &found);
	end(pid);
	assert_false(found.is_whole);
	at = EXPECT(&found, 0, wait_here);
	assert_int_equal(found.n, at + 2); /* the made code, and nothing that was guessed */
}

/* ---- what lies */

static unsigned int seed;

static int scribble(struct dl_phdr_info *info, size_t size, void *arg)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uint8_t *header = (uint8_t *)(uintptr_t)(info->dlpi_addr + phdr->p_vaddr);
		uintptr_t page = (uintptr_t)header & ~4095ul;
		size_t len;

		if (phdr->p_type != PT_GNU_EH_FRAME || !strstr(info->dlpi_name, "libc.so"))
			continue;
		/* .eh_frame lies behind it, in the same segment. */
		len = phdr->p_memsz * 5;
		if (mprotect((void *)page, (uintptr_t)header + len - page, PROT_READ | PROT_WRITE) != 0)
			_exit(1);
		for (size_t n = len / (seed % 5 ? 40 : 4000); n; n--) {
			size_t at = (size_t)rand_r(&seed) % len;

			/* The head is left, or little would be looked at. */
			if (at >= 12 || seed % 7 == 0)
				header[at] = (uint8_t)(rand_r(&seed) >> 8);
		}
	}
	return 0;
}

FUNCTION static void sort_with_scribbled_tables(void)
{
	dl_iterate_phdr(scribble, NULL);
	sort();
	STAY();
}

/* Whatever the tables say: no crash, no end that does not come. */
static void test_scribbled_tables(void **state)
{
	size_t short_ones = 0;

	for (unsigned int i = 1; i <= SEEDS; i++) {
		struct found found;
		pid_t pid;

		seed = i;
		pid = start(sort_with_scribbled_tables);
		walk_twice(pid, &found);
		end(pid);
		short_ones += !found.is_whole;
	}
	assert_in_range(short_ones, 1, SEEDS); /* else nothing was hit */
}

FUNCTION static void lies_with_its_stack(void)
{
	volatile uint64_t words[2000];
	unsigned int state = seed;

	for (size_t i = 0; i < 2000; i++)
		words[i] = rand_r(&state) % 3 ? (uint64_t)(uintptr_t)&words[rand_r(&state) % 2000]
					      : (uint64_t)(uintptr_t)compare + 10;
	/* What wait_here() is called from is all that there is. */
	__asm__ volatile("movq %0, %%rsp\n\tjmp *%1" ::"r"(&words[1001]), "r"(wait_here) : "memory");
	__builtin_unreachable();
}

static void test_stack_that_lies(void **state)
{
	for (unsigned int i = 1; i <= SEEDS; i++) {
		struct found found;
		pid_t pid;

		seed = i;
		pid = start(lies_with_its_stack);
		walk_twice(pid, &found);
		end(pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callbacks),	cmocka_unit_test(test_signal),
		cmocka_unit_test(test_no_table),	cmocka_unit_test(test_scribbled_tables),
		cmocka_unit_test(test_stack_that_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
