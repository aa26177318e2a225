#include "sample/beside.h"

#include "attach/threads.h"

/* To come costs as much as two or three samples. */
#define STAY_NS UINT64_C(200000000)

static bool ask_allowed(struct beside *b)
{
	/* Fails on machines with more CPUs than cpu_set_t has. */
	if (!b->is_known && !b->is_refused)
		b->is_known = sched_getaffinity(0, sizeof(b->allowed), &b->allowed) == 0;
	b->is_refused = !b->is_known;
	return b->is_known;
}

enum beside_answer beside_join(struct beside *b, pid_t tid, uint64_t now_ns)
{
	cpu_set_t only;
	int cpu;

	if (!ask_allowed(b) || thread_cpu(tid, &cpu) < 0)
		return BESIDE_REFUSED;
	b->until_ns = now_ns + STAY_NS;
	if (b->is_there && b->cpu == cpu)
		return BESIDE_WAS_THERE;
	if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &b->allowed))
		return BESIDE_REFUSED;
	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only) < 0)
		return BESIDE_REFUSED;
	b->is_there = true;
	b->cpu = cpu;
	return BESIDE_CAME;
}

void beside_look(struct beside *b, uint64_t now_ns)
{
	if (b->is_there && now_ns >= b->until_ns)
		beside_leave(b);
}

void beside_leave(struct beside *b)
{
	if (b->is_there)
		sched_setaffinity(0, sizeof(b->allowed), &b->allowed);
	b->is_there = false;
}
