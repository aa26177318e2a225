/*
 * What the garbage collector knows, walked as it lies in memory. gc.get_objects() would need an import, which may not be
 * made just anywhere: in the midst of one, 3.8 to 3.11 lose the lock of the module (gh-91351). Nor does it know what was
 * set aside by gc.freeze(), or belongs to other interpreters.
 *
 * A large heap is walked in slices, between which the program runs. Where we were is told by markers: lists of the
 * program's own kind, empty, one in each of the collector's lists. A marker is reached from nowhere and has a reference
 * that is ours, so a collection leaves it in its place among what stays, or moves it, with all that is behind it, to the
 * end of an older list; whatever else is moved goes to the end of one, too. So what was not met yet is always
 *
 *   behind the marker of the list that it is in, or
 *   in a list whose marker has gone to an older one, behind that one's marker: of which nothing counts as met.
 *
 * The older lists are walked first, in each slice. gc.freeze() and gc.unfreeze() move whole lists; they are noticed by the
 * first objects of the two oldest, which are ours as well: then all is walked anew.
 */
#include "agent.h"

#define SYS_clock_gettime 228
#define CLOCK_MONOTONIC 1

#define GENERATIONS 3
#define GENERATION_SIZE 24 /* struct gc_generation: PyGC_Head, two ints */
#define PADDING_MAX 12	   /* behind the last of them */
#define GC_FLAGS 3ull
#define LOOKS 2048	  /* objects between two looks at the clock */
#define BUSY_MAX 100	  /* slices in a row that meet a collection */
#define SLICES_MAX 10000u /* or the program undoes them faster than we walk */

enum { LIST_PERMANENT, LIST_2, LIST_1, LIST_0 };
_Static_assert(LIST_0 + 1 == WALK_LISTS, "the oldest first");

uint64_t agent_now(void)
{
	uint64_t t[2] = {0, 0};

	agent_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, (long)t, 0, 0, 0, 0);
	return t[0] * 1000000000ull + t[1];
}

/* -------------------------------------------------------------------------------------------------- PyGC_Head */

static char *next_of(const char *node)
{
	return (char *)(load64(node, 0) & ~GC_FLAGS);
}

static char *prev_of(const char *node)
{
	return (char *)(load64(node, 8) & ~GC_FLAGS);
}

static void set_next(char *node, char *next)
{
	*(uint64_t *)node = (*(uint64_t *)node & GC_FLAGS) | (uint64_t)next;
}

static void set_prev(char *node, char *prev)
{
	*(uint64_t *)(node + 8) = (*(uint64_t *)(node + 8) & GC_FLAGS) | (uint64_t)prev;
}

static char *node_of(PyObject *o)
{
	return (char *)o - agent_data.layout.gc_head_size;
}

static PyObject *object_of(char *node)
{
	return node + agent_data.layout.gc_head_size;
}

static void move_behind(char *node, char *after)
{
	char *next;

	set_next(prev_of(node), next_of(node));
	set_prev(next_of(node), prev_of(node));
	next = next_of(after);
	set_next(after, node);
	set_prev(node, after);
	set_next(node, next);
	set_prev(next, node);
}

/* -------------------------------------------------------------------------------------------------- the lists */

static char *collector_of(uint64_t interp)
{
	const struct agent_layout *l = &agent_data.layout;

	return l->runtime_gc ? (char *)agent_data.runtime + l->runtime_gc : (char *)interp + l->interp_gc;
}

static char *head_of(uint64_t interp, unsigned int which)
{
	char *gc = collector_of(interp);

	if (which == LIST_PERMANENT)
		return gc + agent_data.layout.gc_permanent;
	return (char *)load_ptr(gc, agent_data.layout.gc_generation0) + (LIST_0 - which) * GENERATION_SIZE;
}

static uint64_t current_interp(void)
{
	if (agent_data.layout.runtime_gc || !agent_data.api[API_PyInterpreterState_Get])
		return (uint64_t)load_ptr((char *)agent_data.runtime, agent_data.layout.runtime_interpreters);
	return (uint64_t)API(void *, PyInterpreterState_Get, void)();
}

/* Does it collect by generations, in lists that lie where all such have them? 3.14.0 to 3.14.4 do not. */
static bool has_lists(uint64_t interp)
{
	const struct agent_layout *l = &agent_data.layout;
	char *gc = collector_of(interp);
	uint64_t size;

	if (!l->gc_generation0 || !l->gc_permanent || !l->gc_head_size)
		return false;
	size = (uint64_t)(gc + l->gc_permanent - (char *)load_ptr(gc, l->gc_generation0));
	return size - GENERATIONS * GENERATION_SIZE <= PADDING_MAX;
}

static void each_in_list(char *head, object_visitor *f, void *arg)
{
	for (char *at = head; (at = next_of(at)) && at != head;)
		f(object_of(at), arg);
}

static void each_of(uint64_t interp, object_visitor *f, void *arg)
{
	for (unsigned int i = 0; i < WALK_LISTS; i++)
		each_in_list(head_of(interp, i), f, arg);
}

/* Those that share the GIL, up to 3.11. */
static void each_of_others(uint64_t interp, object_visitor *f, void *arg)
{
	const struct agent_layout *l = &agent_data.layout;

	if (l->runtime_gc || agent_data.source == SOURCE_MONITORING)
		return;
	for (char *i = load_ptr((char *)agent_data.runtime, l->runtime_interpreters); i;
	     i = load_ptr(i, l->interp_next))
		if ((uint64_t)i != interp)
			each_of((uint64_t)i, f, arg);
}

static void each_at_once(uint64_t interp, object_visitor *f, void *arg)
{
	if (has_lists(interp)) {
		each_of(interp, f, arg);
		each_of_others(interp, f, arg);
	} else if (agent_data.api[API_PyUnstable_GC_VisitObjects]) {
		API(void, PyUnstable_GC_VisitObjects, object_visitor *, void *)(f, arg);
	}
}

/* ------------------------------------------------------------------------------------------------ the markers */

static bool is_own(const struct heap_walk *w, const PyObject *o)
{
	return o == w->first[0] || o == w->first[1];
}

/* May what that interpreter has be touched by who has the GIL of the current one? Up to 3.11 there is one for all. */
static bool is_at_hand(uint64_t interp)
{
	const struct agent_layout *l = &agent_data.layout;

	if (interp == current_interp())
		return true;
	for (char *i = load_ptr((char *)agent_data.runtime, l->runtime_interpreters); i;
	     i = load_ptr(i, l->interp_next))
		if ((uint64_t)i == interp)
			return agent_data.source != SOURCE_MONITORING;
	return false;
}

/* Is it where it was? An interpreter that has ended, or another one in its place, has not our first objects. */
static bool is_there(const struct heap_walk *w)
{
	return is_at_hand(w->interp) && next_of(head_of(w->interp, LIST_PERMANENT)) == node_of(w->first[0]) &&
	       next_of(head_of(w->interp, LIST_2)) == node_of(w->first[1]);
}

static void let_go(struct heap_walk *w)
{
	for (unsigned int i = 0; i < WALK_LISTS; i++)
		if (w->markers[i])
			API(void, Py_DecRef, PyObject *)(w->markers[i]);
	for (unsigned int i = 0; i < 2; i++)
		if (w->first[i])
			API(void, Py_DecRef, PyObject *)(w->first[i]);
}

static PyObject *marker_new(void)
{
	PyObject *o = API(PyObject *, PyList_New, int64_t)(0);

	if (!o)
		API(void, PyErr_Clear, void)();
	return o;
}

/* Making them may lead to a collection: all are made before one is put anywhere. */
static bool begin(struct heap_walk *w)
{
	bool ok = true;

	w->interp = current_interp();
	if (!has_lists(w->interp))
		return false;
	for (unsigned int i = 0; i < WALK_LISTS; i++)
		ok = (w->markers[i] = marker_new()) && ok;
	for (unsigned int i = 0; i < 2; i++)
		ok = (w->first[i] = marker_new()) && ok;
	if (!ok)
		return false;
	move_behind(node_of(w->first[0]), head_of(w->interp, LIST_PERMANENT));
	move_behind(node_of(w->first[1]), head_of(w->interp, LIST_2));
	w->placed = 0;
	w->is_begun = true;
	return true;
}

void heap_walk_end(struct heap_walk *w)
{
	/* What may lie in a list that is gone is left where it is. */
	if (w->is_begun && is_there(w))
		let_go(w);
	*w = (struct heap_walk){0};
}

/* A marker in a list that is not its own has come there with what was behind it. */
static bool meet_marker(struct heap_walk *w, const PyObject *o)
{
	if (type_of(o) != type_of(w->first[0]))
		return false;
	for (unsigned int i = 0; i < WALK_LISTS; i++) {
		if (o != w->markers[i])
			continue;
		w->placed &= ~(1u << i);
		return true;
	}
	return is_own(w, o);
}

/* From the marker on; false if the time was over before the end. */
static bool walk_list(struct heap_walk *w, unsigned int which, object_visitor *f, void *arg, uint64_t until)
{
	char *head = head_of(w->interp, which), *marker = node_of(w->markers[which]), *at;

	for (at = next_of(marker); at != head; at = next_of(at)) {
		if (!meet_marker(w, object_of(at)))
			w->looked += (unsigned int)f(object_of(at), arg);
		if (w->looked < LOOKS)
			continue;
		w->looked = 0;
		if (agent_now() < until)
			continue;
		move_behind(marker, at);
		return false;
	}
	if (prev_of(head) != marker)
		move_behind(marker, prev_of(head));
	return true;
}

static void place(struct heap_walk *w, unsigned int which)
{
	if (w->placed & 1u << which)
		return;
	move_behind(node_of(w->markers[which]), which <= LIST_2 ? node_of(w->first[which]) : head_of(w->interp, which));
	w->placed |= 1u << which;
}

/* In the midst of a collection, what is to be freed, or comes back to life, is in none of the lists. */
static bool is_collecting(const struct heap_walk *w)
{
	uint64_t interp = w->is_begun ? w->interp : current_interp();
	uint16_t at = agent_data.layout.gc_collecting;

	return at && has_lists(interp) && load32(collector_of(interp), at);
}

bool heap_walk(struct heap_walk *w, object_visitor *f, void *arg, uint64_t until)
{
	bool at_once = until == UINT64_MAX || w->n_busy > BUSY_MAX || w->slices > SLICES_MAX;

	w->slices++;
	if (w->is_begun && !is_there(w))
		*w = (struct heap_walk){.slices = w->slices};
	if (!at_once && is_collecting(w)) {
		w->n_busy++;
		return false;
	}
	w->n_busy = 0;
	if (at_once || (!w->is_begun && !begin(w))) {
		if (!w->is_begun)
			let_go(w);
		else
			heap_walk_end(w);
		*w = (struct heap_walk){0};
		each_at_once(current_interp(), f, arg);
		return true;
	}
	for (unsigned int i = 0; i < WALK_LISTS; i++) {
		place(w, i);
		if (!walk_list(w, i, f, arg, until))
			return false;
	}
	each_of_others(w->interp, f, arg);
	heap_walk_end(w);
	return true;
}
