/**
 * Which lines can follow which, from the tree of statements: coverage.py's AstArcAnalyzer (coverage/parser.py, 7.17.3),
 * whose rules on every kind of statement these are.
 */
#pragma once

#include "report/analysis.h"
#include "report/arc_set.h"

/** Where an arc to the outside of a code object leads. */
struct arc_way {
	arc_key arc;
	size_t order;
	enum branch_way way;
	uint32_t owner; /* index of the statement that is left */
};

struct possible_arcs {
	struct arc_set arcs;
	struct arc_set with_entries, with_exits; /* of these: from a `with` into its body, and from there back to it */
	uint32_t *withs;			 /* first lines of all `with` statements, sorted */
	size_t n_withs;
	struct arc_way *ways; /* sorted by arc, and then as they were met */
	size_t n_ways;
};

/** Of @p a, whose lines have LINE_START. -EBADMSG: it is nested too deeply; -ENOMEM. To be deinited in any case. */
int possible_arcs_find(const struct analysis *a, struct possible_arcs *ret) must_check;
void possible_arcs_deinit(struct possible_arcs *possible);

/** Does a `with` statement start at @p line? */
bool possible_arcs_has_with(const struct possible_arcs *possible, uint32_t line);

/** The first of the ways out that @p arc is; NULL if it is none. */
const struct arc_way *possible_arcs_way(const struct possible_arcs *possible, arc_key arc);
