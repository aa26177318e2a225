/* The agent's memory: arenas from mmap, handed out by a lock-free bump pointer (a fork may happen at any moment). */
#include "agent.h"

#define ARENA (256u << 10)
#define SYS_mmap 9
#define SYS_munmap 11

static void *map(size_t size)
{
	long p = agent_syscall(SYS_mmap, 0, (long)size, 3, 0x22, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* An arena is aligned to its size, so that a position in it tells where it ends. */
static char *map_arena(void)
{
	char *p = map(2 * ARENA);
	size_t before;

	if (!p)
		return NULL;
	before = -(uintptr_t)p & (ARENA - 1);
	if (before)
		agent_syscall(SYS_munmap, (long)p, (long)before, 0, 0, 0, 0);
	agent_syscall(SYS_munmap, (long)(p + before + ARENA), (long)(ARENA - before), 0, 0, 0, 0);
	return p + before;
}

void *heap_alloc(size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if (size >= ARENA / 4)
		return map((size + 4095) & ~(size_t)4095);
	for (;;) {
		uint64_t at = atomic_load(&agent_data.heap);
		char *arena;

		/* A position at an arena's very start means that the one before it is full. */
		if ((at & (ARENA - 1)) && (at & (ARENA - 1)) + size <= ARENA) {
			if (atomic_cas(&agent_data.heap, at, at + size))
				return (void *)at;
			continue;
		}
		arena = map_arena();
		if (!arena)
			return NULL;
		if (!atomic_cas(&agent_data.heap, at, (uint64_t)arena + 16))
			agent_syscall(SYS_munmap, (long)arena, ARENA, 0, 0, 0, 0);
	}
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return ret;
}

void *memset(void *to, int c, size_t n)
{
	void *ret = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return ret;
}

/* Its loop is slower across two lines of the cache, and line_memo.c compares much. */
__attribute__((aligned(64))) int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8)
		if (*(const uint64_t *)x != *(const uint64_t *)y)
			break;
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
