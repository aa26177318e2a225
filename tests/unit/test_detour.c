#include "attach/detour.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "symbols/cpython.h"
#include "symbols/dispatch.h"
#include "symbols/elf_image.h"
#include "symbols/layout.h"
#include "test_symbols_pythons.h"

#define READ_SIZE (DETOUR_COVERED_MAX + 4)

/*
 * Functions whose first instructions are all there is to move: int f(int). They get a page of their
 * own, which becomes writable.
 */
__asm__(".pushsection .detour_text, \"ax\", @progbits\n"
	".balign 16\n"
	"detour_plain: push %rbp; mov %rsp, %rbp; lea 1(%rdi), %eax; pop %rbp; ret\n"
	".balign 16\n"
	"detour_endbr: endbr64; push %rbx; mov %edi, %ebx; lea 2(%rbx), %eax; pop %rbx; ret\n"
	".balign 16\n"
	"detour_rip: mov detour_variable(%rip), %eax; add %edi, %eax; ret\n"
	".balign 16\n"
	"detour_rip_imm: cmpl $1000, detour_variable(%rip); sete %al; movzbl %al, %eax\n"
	"	add %edi, %eax; ret\n"
	".balign 16\n"
	"detour_jcc: test %edi, %edi; jz 1f; mov $5, %eax; ret; nop; nop; nop; nop\n"
	"1:	mov $6, %eax; ret\n"
	".balign 16\n"
	"detour_jcc_near: test %edi, %edi; jz 1f; jmp 2f\n"
	"1:	mov $6, %eax; ret\n"
	"2:	mov $5, %eax; ret\n"
	".balign 16\n"
	"detour_jcc_long: cmp $3, %edi; .byte 0x0f, 0x8f; .long 1f - . - 4; mov $7, %eax; ret\n"
	"1:	mov $8, %eax; ret\n"
	".balign 16\n"
	"detour_call: sub $8, %rsp; call detour_helper; add $8, %rsp; ret\n"
	".balign 16\n"
	"detour_tail: .byte 0xe9; .long detour_helper - . - 4\n"
	".balign 16\n"
	"detour_tail_short: jmp detour_helper; .balign 16\n"
	"detour_helper: lea 100(%rdi), %eax; ret\n"
	".balign 16\n"
	"detour_far_call: mov %edi, %edi; call *detour_pointer(%rip); ret\n"
	/* what cannot be moved */
	".balign 16\n"
	"detour_ret: mov %edi, %eax; ret; push %rbx; push %rbx; push %rbx\n"
	".balign 16\n"
	"detour_jrcxz: mov %edi, %ecx; jrcxz 1f; push %rbx\n"
	"1:	ret; .balign 16\n"
	"detour_self: dec %edi; jnz detour_self; ret\n"
	".balign 16\n"
	"detour_getpc: call 1f\n"
	"1:	pop %rax; ret\n"
	".balign 16\n"
	"detour_callreg: call *%rax; ret; nop; nop; nop; nop\n"
	".balign 16\n"
	"detour_int3: int3; push %rbx; pop %rbx; ret; nop; nop; nop\n"
	/* what is jumped into */
	".balign 16\n"
	"detour_loop: xor %eax, %eax\n"
	"1:	add %edi, %eax; dec %edi; jnz 1b; ret\n"
	".balign 16\n"
	"detour_loop_long: xor %eax, %eax\n"
	"1:	add %edi, %eax; dec %edi; .byte 0x0f, 0x85; .long 1b - . - 4; ret\n"
	".balign 16\n"
	"detour_text_end: nop\n"
	".popsection\n"
	".pushsection .data\n"
	"detour_variable: .long 1000\n"
	"detour_pointer: .quad detour_helper\n"
	".popsection\n");

extern int detour_plain(int), detour_endbr(int), detour_rip(int), detour_rip_imm(int), detour_jcc(int),
	detour_jcc_near(int), detour_jcc_long(int), detour_call(int), detour_tail(int), detour_tail_short(int),
	detour_far_call(int), detour_ret(int), detour_jrcxz(int), detour_self(int), detour_getpc(int),
	detour_callreg(int), detour_int3(int), detour_loop(int), detour_loop_long(int);
extern const uint8_t detour_text_end[];

static const struct target {
	const char *name;
	int (*function)(int);
	int argument, result;
	bool needs_near; /* addresses data relative to itself */
} targets[] = {
	{"plain", detour_plain, 4, 5, false},
	{"endbr", detour_endbr, 4, 6, false},
	{"rip", detour_rip, 4, 1004, true},
	{"rip_imm", detour_rip_imm, 4, 5, true},
	{"jcc taken", detour_jcc, 0, 6, false},
	{"jcc", detour_jcc, 1, 5, false},
	{"jcc_near taken", detour_jcc_near, 0, 6, false},
	{"jcc_near", detour_jcc_near, 1, 5, false},
	{"jcc_long taken", detour_jcc_long, 4, 8, false},
	{"jcc_long", detour_jcc_long, 3, 7, false},
	{"call", detour_call, 4, 104, false},
	{"tail", detour_tail, 4, 104, false},
	{"tail_short", detour_tail_short, 4, 104, false},
	{"far_call", detour_far_call, 4, 104, true},
};

static uint64_t address(int (*function)(int))
{
	return (uint64_t)(uintptr_t)function;
}

static const uint8_t *bytes_of(int (*function)(int))
{
	return (const uint8_t *)(uintptr_t)function;
}

static uint8_t *map_code(uint64_t hint)
{
	void *p = mmap((void *)(uintptr_t)hint, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | (hint ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* Within reach of a 32-bit displacement, but in nobody's way. */
static uint8_t *map_near_code(void)
{
	return map_code((address(detour_plain) & ~0xfffull) - (64 << 20));
}

static volatile int counter;

/** Write at @p p what counts a visit and jumps to @p to. */
static void write_stub(uint8_t *p, uint64_t to)
{
	static const uint8_t stub[] = {0x50,				   /* push %rax */
				       0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, /* mov $0, %rax */
				       0xff, 0x00,			   /* incl (%rax) */
				       0x58,				   /* pop %rax */
				       0xff, 0x25, 0, 0, 0, 0};		   /* jmp *0(%rip) */
	uint64_t at = (uint64_t)(uintptr_t)&counter;

	memcpy(p, stub, sizeof(stub));
	memcpy(p + 3, &at, sizeof(at));
	memcpy(p + sizeof(stub), &to, sizeof(to));
}

static void make_writable(void)
{
	uint64_t start = address(detour_plain) & ~0xfffull;
	uint64_t end = (uint64_t)(uintptr_t)detour_text_end;

	assert_int_equal(mprotect((void *)(uintptr_t)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
}

static void run_detoured(const struct target *target, uint8_t *stub, uint8_t *copy)
{
	uint64_t to = (uint64_t)(uintptr_t)copy;
	uint8_t jump[DETOUR_JUMP_SIZE];
	struct detour detour;

	assert_int_equal(detour_plan(bytes_of(target->function), READ_SIZE, address(target->function), to, &detour), 0);
	assert_in_range(detour.covered, DETOUR_JUMP_SIZE, DETOUR_COVERED_MAX);
	memcpy(copy, detour.bytes, detour.copy_size);
	write_stub(stub, to);
	assert_int_equal(detour_encode_jump(detour.patch, (uint64_t)(uintptr_t)stub, jump), 0);
	memcpy((void *)(uintptr_t)detour.patch, jump, sizeof(jump));
	counter = 0;
	assert_int_equal(target->function(target->argument), target->result);
	assert_int_equal(counter, 1);
	memcpy((void *)(uintptr_t)detour.patch, detour.original, detour.covered);
	assert_int_equal(target->function(target->argument), target->result);
	assert_int_equal(counter, 1);
}

static void test_run_with_near_copy(void **state)
{
	uint8_t *stub = map_near_code();

	make_writable();
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		run_detoured(&targets[i], stub, stub + 64);
	munmap(stub, 4096);
}

static void test_run_with_far_copy(void **state)
{
	uint8_t *stub = map_near_code(), *copy = map_code(0);
	struct detour detour;

	make_writable();
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		if (!targets[i].needs_near) {
			run_detoured(&targets[i], stub, copy);
			continue;
		}
		assert_int_equal(detour_plan(bytes_of(targets[i].function), READ_SIZE, address(targets[i].function),
					     (uint64_t)(uintptr_t)copy, &detour),
				 -ERANGE);
	}
	munmap(stub, 4096);
	munmap(copy, 4096);
}

static void test_refuses(void **state)
{
	int (*const functions[])(int) = {detour_ret,   detour_jrcxz,   detour_self,
					 detour_getpc, detour_callreg, detour_int3};
	struct detour detour;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		assert_int_equal(detour_plan(bytes_of(functions[i]), READ_SIZE, address(functions[i]),
					     address(detour_plain), &detour),
				 -ENOTSUP);
}

static void test_refuses_what_is_no_code(void **state)
{
	const uint8_t invalid[READ_SIZE] = {0x06}, cut[] = {0x55, 0x48, 0x89};
	struct detour detour;

	assert_int_equal(detour_plan(invalid, sizeof(invalid), 0x1000, 0x2000, &detour), -EBADMSG);
	assert_int_equal(detour_plan(cut, sizeof(cut), 0x1000, 0x2000, &detour), -EBADMSG);
	assert_int_equal(detour_plan(cut, 0, 0x1000, 0x2000, &detour), -EBADMSG);
}

static void test_jump_reach(void **state)
{
	uint8_t jump[DETOUR_JUMP_SIZE];

	assert_int_equal(detour_encode_jump(0x1000, 0x80001004, jump), 0);
	assert_memory_equal(jump, "\xe9\xff\xff\xff\x7f", 5);
	assert_int_equal(detour_encode_jump(0x1000, 0x80001005, jump), -ERANGE);
	assert_int_equal(detour_encode_jump(0x80000000, 5, jump), 0);
	assert_int_equal(detour_encode_jump(0x80000000, 4, jump), -ERANGE);
}

static void test_translate(void **state)
{
	/* push %rbp; mov %rsp, %rbp; lea 1(%rdi), %eax */
	struct detour detour;

	assert_int_equal(detour_plan(bytes_of(detour_plain), READ_SIZE, 0x1000, 0x9000, &detour), 0);
	assert_int_equal(detour.covered, 7);
	assert_int_equal(detour_translate(&detour, 0x1000), 0x1000);
	assert_int_equal(detour_translate(&detour, 0x1001), 0x9001);
	assert_int_equal(detour_translate(&detour, 0x1004), 0x9004);
	assert_int_equal(detour_translate(&detour, 0x1007), 0x1007);
	assert_int_equal(detour_translate_back(&detour, 0x9000), 0x1000);
	assert_int_equal(detour_translate_back(&detour, 0x9004), 0x1004);
	assert_int_equal(detour_translate_back(&detour, 0x9007), 0x9007);
}

static int check_landings(int (*function)(int))
{
	const uint8_t *start = bytes_of(detour_plain);
	struct detour detour;

	assert_int_equal(
		detour_plan(bytes_of(function), READ_SIZE, address(function), address(function) + 0x10000, &detour), 0);
	return detour_check_landings(&detour, start, (size_t)(detour_text_end - start), address(detour_plain), NULL, 0);
}

static void test_landings(void **state)
{
	struct detour detour;
	uint64_t label = address(detour_plain) + 1;

	assert_int_equal(check_landings(detour_plain), 0);
	assert_int_equal(check_landings(detour_call), 0);
	assert_int_equal(check_landings(detour_loop), -ENOTSUP);
	assert_int_equal(check_landings(detour_loop_long), -ENOTSUP);
	assert_int_equal(detour_plan(bytes_of(detour_plain), READ_SIZE, address(detour_plain),
				     address(detour_plain) + 0x10000, &detour),
			 0);
	assert_int_equal(detour_check_landings(&detour, bytes_of(detour_plain), 32, address(detour_plain), &label, 1),
			 -ENOTSUP);
}

static void test_boundary(void **state)
{
	const uint8_t *code = bytes_of(detour_plain);

	assert_int_equal(detour_check_boundary(code, 16, 0x1000, 0x1000, 0x1004), 0);
	assert_int_equal(detour_check_boundary(code, 16, 0x1000, 0x1004, 0x1004), 0);
	assert_int_equal(detour_check_boundary(code, 16, 0x1000, 0x1000, 0x1003), -ENOENT);
	assert_int_equal(detour_check_boundary(code, 16, 0x1000, 0x1004, 0x1001), -ENOENT);
	assert_int_equal(detour_check_boundary(code, 16, 0x1000, 0x1000, 0x1010), -ENOENT);
}

/* ---- the interpreters themselves ---- */

static void check_unknown_label(const struct elf_image *image, const struct dispatch *dispatch)
{
	const struct elf_segment *segment = elf_image_code_segment(image, dispatch->unknown);
	const uint8_t *code = elf_image_at(image, segment->vaddr, segment->filesz);
	uint64_t offset = dispatch->unknown - segment->vaddr;
	uint64_t start = dispatch_label_before(dispatch, dispatch->switch_head);
	struct detour detour;

	assert_int_equal(
		detour_plan(code + offset, READ_SIZE, dispatch->unknown, dispatch->unknown + (512 << 20), &detour), 0);
	assert_int_equal(detour_check_landings(&detour, code, segment->filesz, segment->vaddr, dispatch->targets,
					       ARRAY_SIZE(dispatch->targets)),
			 0);
	assert_int_equal(detour_check_boundary(code, segment->filesz, segment->vaddr, start, dispatch->switch_head), 0);
}

static void check_functions(const struct elf_image *image)
{
	static const char *const names[] = {"PyEval_EvalCode", "PyEval_EvalCodeEx", "PyFunction_New",
					    "PyEval_RestoreThread"};
	uint64_t vaddrs[ARRAY_SIZE(names)];
	struct detour detour;

	assert_int_equal(cpython_resolve(image, names, ARRAY_SIZE(names), vaddrs), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct elf_segment *segment = elf_image_code_segment(image, vaddrs[i]);
		const uint8_t *code = elf_image_at(image, vaddrs[i], READ_SIZE);

		assert_int_equal(detour_plan(code, READ_SIZE, vaddrs[i], vaddrs[i] + (512 << 20), &detour), 0);
		assert_int_equal(detour_check_landings(&detour, elf_image_at(image, segment->vaddr, segment->filesz),
						       segment->filesz, segment->vaddr, NULL, 0),
				 0);
	}
}

static void test_real_interpreters(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_load(pythons);
	unsigned int n_switches = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_elf_image_ struct elf_image *image = test_open_image(pythons[i].image);
		struct dispatch dispatch;
		struct cpython python;
		const char *reason;

		print_message("%s\n", pythons[i].name);
		assert_int_equal(cpython_load(image, &python, &reason), 0);
		check_functions(image);
		if (python.layout.traps != LAYOUT_TRAPS_DETOUR)
			continue;
		assert_int_equal(dispatch_find(image, &python, &dispatch, &reason), 0);
		check_unknown_label(image, &dispatch);
		n_switches++;
	}
	assert_true(n_switches > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_with_near_copy),
		cmocka_unit_test(test_run_with_far_copy),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_refuses_what_is_no_code),
		cmocka_unit_test(test_jump_reach),
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_landings),
		cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_real_interpreters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
