/**
 * What the tokens of a Python source tell without compiling it: its logical lines and the tree of
 * its statements, with the line numbers that CPython's `ast` gives them.
 *
 * Reads every version's grammar up to 3.15 and is generous: what it takes may still be no Python.
 */
#pragma once

#include "base/cleanup.h"
#include "report/source.h"

enum statement_kind {
	STATEMENT_SIMPLE, /* none of those below */
	STATEMENT_RETURN,
	STATEMENT_RAISE,
	STATEMENT_BREAK,
	STATEMENT_CONTINUE,
	STATEMENT_STRING,     /* an expression that is but one string: a docstring, where it is first */
	STATEMENT_CONSTANT,   /* another constant alone, `...` for one */
	STATEMENT_SCOPE,      /* global, nonlocal: without code */
	STATEMENT_ANNOTATION, /* `name: expression` without a value */
	STATEMENT_MODULE,     /* the first of the tree, and no other */
	STATEMENT_FUNCTION,
	STATEMENT_CLASS,
	STATEMENT_IF,
	STATEMENT_FOR,
	STATEMENT_WHILE,
	STATEMENT_WITH,
	STATEMENT_TRY,
	STATEMENT_MATCH,
	/* clauses of the compound ones, in the order of the text */
	STATEMENT_ELIF,
	STATEMENT_ELSE,
	STATEMENT_EXCEPT,
	STATEMENT_FINALLY,
	STATEMENT_CASE,
};

/** Statements refer to each other by their index; 0, the module, stands for none. */
struct statement {
	enum statement_kind kind;
	uint32_t line;			   /* of its first token; of `def` or `class`, not of its decorators */
	uint32_t end_line;		   /* of its last token, its whole body included */
	uint32_t parent;		   /* a module, compound statement or clause; a clause's is its statement */
	uint32_t body;			   /* the first statement in it */
	uint32_t clauses;		   /* the first clause */
	uint32_t next;			   /* the next one in the same body, or the next clause */
	uint32_t decorators, n_decorators; /* lines, in `decorators` of the syntax */
	uint32_t name, name_length;	   /* of a function or class: where it is in the text */
	uint32_t pattern_end;		   /* of a case: the last line of its pattern */
	bool constant, value;		   /* if, elif, while: the test is a constant, this one */
	bool irrefutable;		   /* of a case: it always matches */
};

struct logical_line {
	uint32_t first, last;
	uint16_t indent; /* how many blocks it is in */
	bool has_colon;	 /* one that is in no bracket */
};

struct syntax {
	struct statement *statements;
	struct logical_line *logical;
	uint32_t *decorators;
	uint32_t n_statements, n_logical, n_decorators;
	uint32_t *first; /* of each line 0 to n_lines: the first line of its logical line, or itself */
	uint32_t n_lines;
	uint32_t error_line; /* where it is no Python */
	const char *error;   /* and why */
};

/** -EBADMSG: it is no Python, `error` and `error_line` say why. -ENOMEM. */
int syntax_parse(const struct source *source, struct syntax *ret) must_check;

void syntax_deinit(struct syntax *syntax);
#define _cleanup_syntax_ _cleanup_(syntax_deinit)
