/*
 * The first code of ours that runs in a program: written into unused bytes of its text, entered by one change of the
 * instruction pointer, and back by itself. Whatever becomes of the supervisor meanwhile, the program goes on: the
 * memory mapped here is entered only when its first word says that it is complete, and the memfd, which may become the
 * region, is closed in any case.
 */
	.section .rodata
	.globl boot_code, boot_code_end, boot_code_hint, boot_code_size, boot_code_name, boot_code_back, boot_code_call
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
	or	$-1, %ebp	/* the memfd: in rbp at the call, the memory in rbx */
	push	$9	/* mmap */
	pop	%rax
	movabs	$0x1122334455667788, %rdi
boot_code_hint = . - 8
	mov	$0x11223344, %esi
boot_code_size = . - 4
	push	$5	/* PROT_READ|PROT_EXEC */
	pop	%rdx
	push	$0x22	/* MAP_PRIVATE|MAP_ANONYMOUS */
	pop	%r10
	push	$-1
	pop	%r8
	xor	%r9d, %r9d
	syscall
	mov	%rax, %rbx
	cmp	$-4096, %rax
	ja	1f
	lea	boot_code_name(%rip), %rdi
	cmpb	$0, (%rdi)	/* not wanted */
	je	2f
	mov	$319, %eax	/* memfd_create */
	push	$3	/* MFD_CLOEXEC|MFD_ALLOW_SEALING */
	pop	%rsi
	syscall
	mov	%eax, %ebp
2:	movq	$0x400000, (%rsp)	/* SIGURG */
	push	$14	/* rt_sigprocmask */
	pop	%rax
	push	$1	/* SIG_UNBLOCK */
	pop	%rdi
	mov	%rsp, %rsi
	lea	8(%rsp), %rdx
	push	$8
	pop	%r10
	syscall
	mov	$186, %eax	/* gettid: there is no other thread, so it is the process's number, too */
	syscall
	mov	%eax, %esi
	mov	%eax, %edi
	push	$23	/* SIGURG */
	pop	%rdx
	mov	$234, %eax	/* tgkill */
	syscall
boot_code_call:
	push	$14	/* rt_sigprocmask */
	pop	%rax
	push	$2	/* SIG_SETMASK */
	pop	%rdi
	lea	8(%rsp), %rsi
	xor	%edx, %edx
	push	$8
	pop	%r10
	syscall
	cmpl	$0x54435650, (%rbx)
	jne	1f
	mov	4(%rbx), %eax
	add	%rbx, %rax
	call	*%rax
1:	push	$3	/* close */
	pop	%rax
	mov	%ebp, %edi
	syscall
	add	$16, %rsp
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
boot_code_name:
	.asciz	"pycov-trace"
boot_code_back:
	.quad	0
boot_code_end:
	.section .note.GNU-stack, "", @progbits
