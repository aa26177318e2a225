/*
 * The first code of ours that runs in a program: written into unused bytes of its text, entered by one change of the
 * instruction pointer, and back by itself. Whatever becomes of the supervisor meanwhile, the program goes on: the
 * memory mapped here is entered only when its first word says that it is complete.
 */
	.section .rodata
	.globl boot_code, boot_code_end, boot_code_hint, boot_code_size, boot_code_back, boot_code_call
boot_code:
	lea	-128(%rsp), %rsp
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
	sub	$16, %rsp
	mov	$9, %eax	/* mmap */
	mov	boot_code_hint(%rip), %rdi
	mov	boot_code_size(%rip), %rsi
	mov	$5, %edx	/* PROT_READ|PROT_EXEC */
	mov	$0x22, %r10d	/* MAP_PRIVATE|MAP_ANONYMOUS */
	mov	$-1, %r8
	xor	%r9d, %r9d
	syscall
	mov	%rax, %rbx
	cmp	$-4096, %rax
	ja	1f
	movq	$0x400000, (%rsp)	/* SIGURG */
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
boot_code_call:
	mov	$14, %eax	/* rt_sigprocmask */
	mov	$2, %edi	/* SIG_SETMASK */
	lea	8(%rsp), %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	syscall
	cmpl	$0x54435650, (%rbx)
	jne	1f
	mov	4(%rbx), %eax
	add	%rbx, %rax
	call	*%rax
1:	add	$16, %rsp
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
	lea	128(%rsp), %rsp
	jmp	*boot_code_back(%rip)
boot_code_hint:
	.quad	0
boot_code_size:
	.quad	0
boot_code_back:
	.quad	0
boot_code_end:
	.section .note.GNU-stack, "", @progbits
