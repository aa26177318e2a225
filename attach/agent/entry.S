#include "agent_offsets.h"
/*
 * Ways into the agent. Each saves what its surroundings may use, calls C, and leaves everything as it was.
 * C is compiled with -mgeneral-regs-only, so vector registers are never touched.
 */
	.section .head, "ax"
	.globl agent_blob
agent_blob:
	.long	0		/* magic: written last by the supervisor */
	.long	entry_boot - agent_blob
	.long	entry_program - agent_blob
	.long	agent_data - agent_blob
	.long	agent_size - agent_blob
	.long	hook_eval_code - agent_blob
	.long	hook_eval_code_ex - agent_blob
	.long	hook_unknown_opcode - agent_blob
	.long	hook_loader - agent_blob
	.long	hook_after_fork - agent_blob
	.long	hook_restore_thread - agent_blob
	.long	agent_line_of - agent_blob
	.long	trap_table_entry - agent_blob
	.long	trap_spare_entry - agent_blob
	.long	held_entry - agent_blob
	.long	agent_hooks - agent_blob

	.macro save_general
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
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm

	.macro restore_general
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
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

	/* Call \fn on an aligned stack, with the stack pointer kept in rbx. */
	.macro call_aligned fn
	mov	%rsp, %rbx
	and	$-16, %rsp
	cld
	call	\fn
	mov	%rbx, %rsp
	.endm

	.text
/* Called by the boot code in a program without a loader: everything is saved there. */
entry_boot:
	push	%rbx
	call_aligned agent_boot
	pop	%rbx
	ret

/* Jumped to by the loader in place of the program's entry point; rdx and rsp belong to the program. */
entry_program:
	sub	$8, %rsp	/* becomes the real entry point */
	save_general
	call_aligned agent_program
	mov	%rax, 128(%rsp)
	restore_general
	lea	8(%rsp), %rsp
	jmp	*-8(%rsp)	/* within the red zone: no signal can overwrite it */

/* A hooked function: the arguments are as the caller left them. \fn gets the first. */
	.macro hook name fn resume
\name:
	sub	$8, %rsp
	save_general
	call_aligned \fn
	mov	agent_data+\resume(%rip), %rax
	mov	%rax, 128(%rsp)
	restore_general
	lea	8(%rsp), %rsp
	jmp	*-8(%rsp)
	.endm

	hook hook_eval_code agent_on_eval_code AGENT_RESUME_EVAL_CODE
	hook hook_eval_code_ex agent_on_eval_code AGENT_RESUME_EVAL_CODE_EX
	hook hook_loader agent_on_loader AGENT_RESUME_LOADER

/* PyOS_AfterFork_Child(void): something is to be done before it and something after. */
hook_after_fork:
	push	%rbx
	call	agent_before_fork_child
	call	*agent_data+AGENT_RESUME_AFTER_FORK(%rip)
	call	agent_after_fork_child
	pop	%rbx
	ret

/* PyEval_RestoreThread(tstate) or take_gil(tstate): when it returns, the GIL is held. Entered by one thread only. */
hook_restore_thread:
	push	%rbx
	mov	%rdi, %rbx
	call	agent_waking
	mov	%rbx, %rdi
	call	*agent_data+AGENT_RESUME_RESTORE_THREAD(%rip)
	mov	%rbx, %rdi
	call	agent_woken
	pop	%rbx
	ret

held_entry:
	push	%rbx
	call_aligned agent_held
	pop	%rbx
	ret

/* The interpreter loop met a trap. No call was made, so the words below the stack pointer may be in use. The handler
 * edits the saved registers and says where to go on. */
	.macro trap name fn
\name:
	lea	-136(%rsp), %rsp
	save_general
	mov	%rsp, %rdi
	call_aligned \fn
	mov	%rax, 128(%rsp)
	restore_general
	/* the address to go on at is at the stack's top; r11 cannot be spared, so return through it */
	ret	$128
	.endm

	trap hook_unknown_opcode agent_on_unknown_opcode
	.globl trap_table_entry, trap_spare_entry
	trap trap_table_entry agent_on_borrowed_opcode
	trap trap_spare_entry agent_on_spare_opcode

/* 3.11: a function begins, or a generator goes on. The same, but functions of the C-API are called. */
	.globl trap_resume_entry
trap_resume_entry:
	lea	-136(%rsp), %rsp
	save_general
	mov	%rsp, %rdi
	mov	%rsp, %rbx
	sub	$512, %rsp
	and	$-16, %rsp
	fxsave64 (%rsp)
	cld
	call	agent_on_resume
	fxrstor64 (%rsp)
	mov	%rbx, %rsp
	mov	%rax, 128(%rsp)
	restore_general
	ret	$128

/* Up to 3.10, in place of _PyEval_EvalFrameDefault(), to which the arguments are passed on. */
	.globl enter_frame
enter_frame:
	push	%rdi
	push	%rsi
	push	%rdx
	call	agent_on_enter
	pop	%rdx
	pop	%rsi
	pop	%rdi
	jmp	*agent_data+AGENT_EVAL_FRAME(%rip)

	.section .note.GNU-stack, "", @progbits
