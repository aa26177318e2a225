/* src/supervisor/refusal.c: each reason that can be brought about here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/procfs.h"
#include "supervisor/refusal.h"

/* A child that waits to be killed, after @p prepare in it. */
static pid_t start(void (*prepare)(void))
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prepare)
			prepare();
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_can_be_entered(void **state)
{
	struct refusal r;
	pid_t pid = start(NULL);

	(void)state;
	assert_false(refusal_find(pid, REFUSAL_READ, &r));
	assert_false(refusal_find(pid, REFUSAL_TRACE, &r));
	assert_int_equal(r.reason, REFUSAL_NONE);
	end(pid);
}

static void test_nobody(void **state)
{
	struct refusal r;
	pid_t pid = start(NULL);

	(void)state;
	end(pid);
	assert_true(refusal_find(pid, REFUSAL_READ, &r));
	assert_int_equal(r.reason, REFUSAL_NO_PROCESS);
	assert_true(refusal_find(getpid(), REFUSAL_READ, &r));
	assert_int_equal(r.reason, REFUSAL_SELF);
}

static void test_zombie(void **state)
{
	struct refusal r;
	siginfo_t info;
	pid_t pid = start(NULL);

	(void)state;
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(refusal_find(pid, REFUSAL_READ, &r));
	assert_int_equal(r.reason, REFUSAL_ZOMBIE);
	assert_non_null(strstr(r.why, "zombie"));
	end(pid);
}

static void *wait_for_ever(void *tid)
{
	*(volatile pid_t *)tid = (pid_t)syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static pid_t thread_tid;

static void test_thread(void **state)
{
	struct refusal r;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_for_ever, &thread_tid), 0);
	while (!*(volatile pid_t *)&thread_tid)
		usleep(100);
	assert_true(refusal_find(thread_tid, REFUSAL_READ, &r));
	assert_int_equal(r.reason, REFUSAL_THREAD);
}

static void test_kernel_thread(void **state)
{
	struct procfs_status status;
	struct refusal r;

	(void)state;
	if (procfs_status(2, &status) < 0 || strcmp(status.name, "kthreadd") != 0)
		skip(); /* in a container */
	assert_true(refusal_find(2, REFUSAL_READ, &r));
	assert_int_equal(r.reason, REFUSAL_KERNEL_THREAD);
}

static void test_traced(void **state)
{
	struct refusal r;
	pid_t pid = start(NULL);

	(void)state;
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_false(refusal_find(pid, REFUSAL_READ, &r));
	assert_true(refusal_find(pid, REFUSAL_TRACE, &r));
	assert_int_equal(r.reason, REFUSAL_TRACED);
	assert_non_null(strstr(r.why, "test_refusal"));
	end(pid);
}

static void close_itself(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

/* In a child without rights, because giving them up is for good. */
static void find_as_nobody(pid_t pid, struct refusal *ret)
{
	int channel[2];
	pid_t child;

	assert_int_equal(pipe(channel), 0);
	child = fork();
	if (child == 0) {
		memset(ret, 0, sizeof(*ret));
		if (setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0)
			refusal_find(pid, REFUSAL_READ, ret);
		_exit(write(channel[1], ret, sizeof(*ret)) != sizeof(*ret));
	}
	close(channel[1]);
	assert_int_equal(read(channel[0], ret, sizeof(*ret)), sizeof(*ret));
	close(channel[0]);
	waitpid(child, NULL, 0);
}

static void become_nobody(void)
{
	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		_exit(1);
	close_itself();
}

static void test_permission(void **state)
{
	struct refusal r;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		pid = start(close_itself);
		assert_true(refusal_find(pid, REFUSAL_READ, &r));
		assert_int_equal(r.reason, REFUSAL_UNDUMPABLE);
		end(pid);
		return;
	}
	pid = start(NULL);
	find_as_nobody(pid, &r);
	assert_int_equal(r.reason, REFUSAL_OTHER_USER);
	assert_non_null(strstr(r.advice, "sudo"));
	end(pid);
	pid = start(become_nobody);
	find_as_nobody(pid, &r);
	assert_int_equal(r.reason, REFUSAL_UNDUMPABLE);
	end(pid);
}

static void test_python(void **state)
{
	struct refusal r;

	(void)state;
	refusal_not_python(getpid(), &r);
	assert_int_equal(r.reason, REFUSAL_NOT_PYTHON);
	assert_non_null(strstr(r.why, "test_refusal"));
	refusal_python(getpid(), "PyPy is not supported", &r);
	assert_non_null(strstr(r.why, "PyPy is not supported"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_can_be_entered), cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_zombie),	       cmocka_unit_test(test_thread),
		cmocka_unit_test(test_kernel_thread),  cmocka_unit_test(test_traced),
		cmocka_unit_test(test_permission),     cmocka_unit_test(test_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
