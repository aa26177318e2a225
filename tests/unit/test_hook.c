/* Jumps are written and taken back in a process whose threads run the function all the time. */
#include "attach/hook.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 2
#define TOGGLES 20000
#define CALLS_MIN 1000000u
#define LIMIT 60 /* seconds */

/*
 * int hooked_NAME(void). Its first instruction is as long as the jump, so that no thread is ever in the middle of that. What
 * is read half-written is another number, or leads elsewhere.
 */
int hooked_word(void), hooked_end(void), instead(void);
extern char hook_room[];
__asm__(".pushsection .hook_text, \"ax\", @progbits\n"
	".balign 64\n"
	"hooked_word: mov $0x01020304, %eax; ret\n"
	".balign 64; .skip 59\n" /* at the end of a cache line, and of a word */
	"hooked_end: mov $0x01020304, %eax; ret\n"
	".balign 64\n"
	"instead: mov $0x0a0b0c0d, %eax; ret\n"
	".balign 64\n"
	"hook_room: .fill 512, 1, 0xcc\n"
	".popsection");
#define PLAIN 0x01020304
#define HOOKED 0x0a0b0c0d

struct seen {
	int (*f)(void);
	atomic_uint plain, hooked, wrong;
};

static void *run(void *arg)
{
	struct seen *s = arg;

	for (;;) {
		int n = s->f();

		atomic_fetch_add_explicit(n == PLAIN	? &s->plain
					  : n == HOOKED ? &s->hooked
							: &s->wrong,
					  1, memory_order_relaxed);
	}
	return NULL;
}

static void be_child(struct seen *seen)
{
	static const int faults[] = {SIGSEGV, SIGILL, SIGBUS, SIGFPE, SIGTRAP};
	pthread_t thread;

	/* CMocka handles them */
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		signal(faults[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&thread, NULL, run, seen))
			_exit(1);
	run(seen);
}

static struct seen *seen_new(int (*f)(void))
{
	struct seen *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(s != MAP_FAILED);
	s->f = f;
	return s;
}

static void wait_while(pid_t child, atomic_uint *n, unsigned int less_than)
{
	for (int i = 0; atomic_load(n) < less_than && i < LIMIT * 1000; i++) {
		assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
		usleep(1000);
	}
	assert_true(atomic_load(n) >= less_than);
}

static void toggle(int (*f)(void), bool is_whole)
{
	_cleanup_remote_ struct remote r = {.mem_fd = -1};
	struct hook_page page = {.addr = (raddr)(uintptr_t)hook_room, .size = 512};
	struct seen *seen = seen_new(f);
	struct hook hook;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		be_child(seen);
	assert_int_equal(remote_open(&r, child), 0);
	assert_int_equal(hook_is_in_word((raddr)(uintptr_t)f), is_whole);
	assert_int_equal(hook_prepare_word(&r, &page, (raddr)(uintptr_t)f, (raddr)(uintptr_t)instead, &hook), 0);
	wait_while(child, &seen->plain, 1);
	for (int i = 0; i < TOGGLES; i++) {
		assert_int_equal(hook_arm(&r, &hook), 0);
		assert_int_equal(hook_disarm(&r, &hook), 0);
	}
	assert_int_equal(hook_arm(&r, &hook), 0);
	wait_while(child, &seen->hooked, 1);
	assert_int_equal(hook_disarm(&r, &hook), 0);
	wait_while(child, &seen->plain, CALLS_MIN);
	assert_int_equal(atomic_load(&seen->wrong), 0);
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	munmap(seen, sizeof(*seen));
}

static void test_first_of_a_word(void **state)
{
	(void)state;
	toggle(hooked_word, true);
}

static void test_last_of_a_word(void **state)
{
	(void)state;
	toggle(hooked_end, true);
}

static void test_across_words(void **state)
{
	_cleanup_remote_ struct remote r = {.mem_fd = -1};
	struct hook_page page = {.addr = (raddr)(uintptr_t)hook_room, .size = 512};
	struct hook hook;

	(void)state;
	assert_int_equal(remote_open(&r, getpid()), 0);
	assert_false(hook_is_in_word((raddr)(uintptr_t)hooked_word + 4));
	assert_int_equal(hook_prepare_word(&r, &page, (raddr)(uintptr_t)hooked_word + 4, (raddr)(uintptr_t)instead,
					   &hook),
			 -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_of_a_word),
		cmocka_unit_test(test_last_of_a_word),
		cmocka_unit_test(test_across_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
