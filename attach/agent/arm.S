/*
 * How a thread of a running program comes to the agent by itself (attach/arm.h): written into unused bytes of its text,
 * while nothing leads there. Each way in takes the one word `armed` first, so that one thread only goes on; the others
 * pass. Whatever becomes of the supervisor, the program goes on: memory without a complete agent is not entered, and
 * given back.
 */
#include "agent_offsets.h"
	.section .rodata
	.globl arm_code, arm_code_end, arm_restore_thread, arm_trace_entry, arm_pending, arm_code_call
	.globl arm_word, arm_blob, arm_size, arm_resume, arm_thread_state, arm_trace_offset, arm_possible
arm_code:

	.macro arm_save
	pushf
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	.endm

	.macro arm_restore
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	popf
	.endm

/* In place of PyEval_RestoreThread(tstate). */
arm_restore_thread:
	sub	$8, %rsp
	arm_save
	call	arm_enter
	mov	arm_resume(%rip), %rcx
	test	%rax, %rax
	jz	1f
	mov	BLOB_RESTORE_THREAD(%rax), %ecx
	add	%rax, %rcx
1:	mov	%rcx, 96(%rsp)
	arm_restore
	lea	8(%rsp), %rsp
	jmp	*-8(%rsp)

/* A thread's trace function, up to 3.11: int (obj, frame, what, arg). It is taken away first, from whichever thread. */
arm_trace_entry:
	arm_save
	mov	%rsp, %rbx
	and	$-16, %rsp
	call	*arm_thread_state(%rip)
	mov	%rbx, %rsp
	add	arm_trace_offset(%rip), %rax
	movq	$0, (%rax)
	mov	arm_possible(%rip), %rdx
	test	%rdx, %rdx
	jz	2f
	lock decl (%rdx)
	jmp	2f

/* A pending call: int (arg). */
arm_pending:
	arm_save
2:	call	arm_enter
	call	arm_held
	arm_restore
	xor	%eax, %eax
	ret

/* The agent is at rax, if there is one. */
arm_held:
	test	%rax, %rax
	jz	4f
	mov	BLOB_HELD(%rax), %ecx
	add	%rcx, %rax
	jmp	*%rax
4:	ret

/* rax: the agent, 0 if it is not for us to go there. */
arm_enter:
	mov	arm_word(%rip), %rdx
	xor	%eax, %eax
	xchg	%eax, (%rdx)
	test	%eax, %eax
	jz	9f
	mov	arm_blob(%rip), %rax
	test	%rax, %rax
	jnz	9f
	mov	$9, %eax	/* mmap */
	xor	%edi, %edi
	mov	arm_size(%rip), %rsi
	mov	$5, %edx	/* PROT_READ|PROT_EXEC */
	mov	$0x22, %r10d	/* MAP_PRIVATE|MAP_ANONYMOUS */
	mov	$-1, %r8
	xor	%r9d, %r9d
	syscall
	mov	%rax, %rbx
	cmp	$-4096, %rax
	ja	8f
	push	$0
	push	$0x400000	/* SIGURG */
	mov	$14, %eax	/* rt_sigprocmask */
	mov	$1, %edi	/* SIG_UNBLOCK */
	mov	%rsp, %rsi
	lea	8(%rsp), %rdx
	mov	$8, %r10d
	syscall
	mov	$39, %eax	/* getpid */
	syscall
	mov	%eax, %ebp
	mov	$186, %eax	/* gettid */
	syscall
	mov	%eax, %esi
	mov	%ebp, %edi
	mov	$23, %edx	/* SIGURG */
	mov	$234, %eax	/* tgkill */
	syscall
arm_code_call:
	mov	$14, %eax	/* rt_sigprocmask */
	mov	$2, %edi	/* SIG_SETMASK */
	lea	8(%rsp), %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	syscall
	pop	%rcx
	pop	%rcx
	mov	%rbx, %rax
	cmpl	$0x54435650, (%rbx)
	je	9f
	mov	$11, %eax	/* munmap */
	mov	%rbx, %rdi
	mov	arm_size(%rip), %rsi
	syscall
8:	xor	%eax, %eax
9:	ret
	.balign 8
arm_word:
	.quad	0
arm_blob:
	.quad	0
arm_size:
	.quad	0
arm_resume:
	.quad	0
arm_thread_state:
	.quad	0
arm_trace_offset:
	.quad	0
arm_possible:
	.quad	0
arm_code_end:
	.section .note.GNU-stack, "", @progbits
