/**
 * Why a process that runs already cannot be entered, in a sentence for the user, and what can be done about it.
 *
 * Entering is to read its memory, or to trace it, which the kernel allows by the same rules: ptrace(2), "Ptrace access
 * mode checking". What is wrong with the Python in it comes from elsewhere (symbols/cpython.h) and is put into the
 * same words here.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum refusal_reason {
	REFUSAL_NONE,
	REFUSAL_NO_PROCESS,
	REFUSAL_THREAD, /* the number is that of a thread that is not its process's first */
	REFUSAL_SELF,
	REFUSAL_ZOMBIE,
	REFUSAL_KERNEL_THREAD,
	REFUSAL_TRACED, /* another tracer is there */
	REFUSAL_OTHER_USER,
	REFUSAL_UNDUMPABLE,   /* it has asked to be left alone, or changed its user, or its file cannot be read */
	REFUSAL_CAPABILITIES, /* it has capabilities that we lack */
	REFUSAL_YAMA,	      /* /proc/sys/kernel/yama/ptrace_scope */
	REFUSAL_SANDBOX,      /* something else: a seccomp filter, a security module */
	REFUSAL_NOT_PYTHON,
	REFUSAL_PYTHON, /* a Python that is not supported */
};

enum refusal_access {
	REFUSAL_READ,  /* its memory */
	REFUSAL_TRACE, /* with ptrace(2) */
};

struct refusal {
	enum refusal_reason reason;
	char why[512];	  /* "pid 123 (nginx) is a zombie: ..."; no full stop */
	char advice[512]; /* what to do, or "" */
};

/** True if @p pid cannot be entered, and *@p ret says why. */
bool refusal_find(pid_t pid, enum refusal_access access, struct refusal *ret);

/** @p pid has no Python in it. */
void refusal_not_python(pid_t pid, struct refusal *ret);

/** It has one that @p reason, from cpython_load(), says is not supported. */
void refusal_python(pid_t pid, const char *reason, struct refusal *ret);

/** Say both lines as errors. */
void refusal_tell(const struct refusal *refusal);
