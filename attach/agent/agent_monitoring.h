/* What monitoring.c and the other files monitoring_*.c share: callbacks of sys.monitoring. */
#pragma once

#include "agent.h"

typedef PyObject *callback(PyObject *self, PyObject *const *args, int64_t nargs);

enum callback_number { CALLBACK_LINE, CALLBACK_START, CALLBACK_RETURN, CALLBACK_ON, CALLBACK_JUMP };
_Static_assert(CALLBACK_JUMP < AGENT_CALLBACKS, "one PyMethodDef for each");

/** Whose callback @p self is of, which was called for a code object; NULL: *@p ret is to be returned. */
hidden struct agent_interp *called_for(PyObject *self, PyObject *const *args, int64_t nargs, PyObject **ret);
/** The same, and region_exit() is to follow. */
hidden struct agent_interp *called_at_region(PyObject *self, PyObject *const *args, int64_t nargs, PyObject **ret);
hidden PyObject *none_new(void);
hidden PyObject *disable_new(const struct agent_interp *it);
/** Are the lines of @p code wanted? Between region_enter() and region_exit(). */
hidden bool is_wanted(const PyObject *code);
/** The number of an event; -1, and an exception. */
hidden long event_number(PyObject *monitoring, const char *name);
/** Have @p function, number @p which, called for @p event. */
hidden bool register_callback(struct agent_interp *it, PyObject *monitoring, enum callback_number which, long event,
			      callback *function);

/** The record of interpreter @p interp; NULL: there is none. */
hidden struct agent_interp *interp_find(uint64_t interp);
/** is_wanted(), which does what is to be around it. */
hidden bool wants(struct agent_interp *it, const PyObject *code);
/** Make @p events those that the tool wants in @p code, beside the global ones. */
hidden void set_local_events(const struct agent_interp *it, PyObject *code, long events);

/* A new reference; NULL if @o is, and with an exception. */
static inline PyObject *attr(PyObject *o, const char *name)
{
	return o ? API(PyObject *, PyObject_GetAttrString, PyObject *, const char *)(o, name) : NULL;
}

static inline void drop(PyObject *o)
{
	if (o)
		API(void, Py_DecRef, PyObject *)(o);
}

/* monitoring_branches.c */

/** Register what tells of branches: the numbers of the events together; 0, and an exception. */
hidden long branches_register(struct agent_interp *it, PyObject *monitoring);
/** The same events, to be unregistered, into @p ret: how many. */
hidden unsigned int branches_events(PyObject *monitoring, long ret[3]);

/* monitoring_debuggers.c */

/** Lead the setters of frames that debuggers use through us; nothing where nobody needs that. */
hidden void debuggers_patch(void);
/** Give them back. */
hidden void debuggers_restore(void);
