#include "supervisor/process.h"

static uint64_t hash_tid(pid_t tid)
{
	return (uint64_t)tid * 0x9e3779b97f4a7c15ull;
}

static bool has_tid(const void *entry, const void *key)
{
	const struct thread *t = entry;

	return t->tid == *(const pid_t *)key;
}

struct thread *processes_find(const struct processes *ps, pid_t tid)
{
	return hashmap_find(&ps->threads, hash_tid(tid), has_tid, &tid);
}

static struct process *process_new(pid_t pid)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	program_init(&p->program);
	return p;
}

void process_free(struct process *p)
{
	program_deinit(&p->program);
	free(p);
}

struct thread *processes_add(struct processes *ps, pid_t tid, pid_t pid)
{
	struct thread *leader = processes_find(ps, pid), *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->tid = tid;
	t->process = leader ? leader->process : process_new(pid);
	if (!t->process || hashmap_add(&ps->threads, hash_tid(tid), t) < 0) {
		if (t->process && !leader)
			process_free(t->process);
		free(t);
		return NULL;
	}
	ps->n_processes += t->process->threads == 0;
	t->process->threads++;
	return t;
}

struct process *processes_remove(struct processes *ps, pid_t tid)
{
	struct thread *t = processes_find(ps, tid);
	struct process *p;

	if (!t)
		return NULL;
	p = t->process;
	hashmap_remove(&ps->threads, hash_tid(tid), t);
	free(t);
	if (--p->threads)
		return NULL;
	ps->n_processes--;
	return p;
}

void processes_exec(struct processes *ps, struct process *process)
{
	/* Every other thread died in the exec, and the leader's exit is never reported. */
	for (size_t i = 0; i < ps->threads.n_slots;) {
		struct thread *t = ps->threads.slots[i].entry;

		if (t && t->process == process && t->tid != process->pid) {
			processes_remove(ps, t->tid);
			i = 0; /* removal may have moved others */
		} else {
			i++;
		}
	}
}

void processes_deinit(struct processes *ps)
{
	while (ps->threads.count) {
		for (size_t i = 0; i < ps->threads.n_slots; i++) {
			struct thread *t = ps->threads.slots[i].entry;
			struct process *p = t ? processes_remove(ps, t->tid) : NULL;

			if (p)
				process_free(p);
		}
	}
	hashmap_deinit(&ps->threads);
}
