/**
 * The few expressions whose value or form tells something of the statements that they are in, read as tokens: constant
 * tests, strings, patterns.
 */
#pragma once

#include "report/tokens.h"

/** Some tokens of a logical line, from @p from to before @p to. */
struct span {
	const struct token *from, *to;
};

/** Does it begin with this operator, or word? */
bool span_is_op(const struct span *span, char op);
bool span_is_word(const struct tokens *tokens, const struct span *span, const char *word);

/** The last token @p op or word @p word that is in no more brackets than the first token; NULL: none. */
const struct token *span_find_last(const struct tokens *tokens, struct span span, char op, const char *word);

/** Is it one whose value is known: `True`, `0`, `not (False or 0)`? Then *@p value is its truth. */
bool expression_is_constant(const struct tokens *tokens, struct span span, bool *value);

/** Is it but strings, maybe in parentheses? Then *@p plain says that all of them are plain ones (tokens.h). */
bool expression_is_strings(struct span span, bool *plain);

/** Does the pattern of a `case` match whatever it is given: `_`, a bare name, `... | _`, `_ as name`? */
bool pattern_is_irrefutable(const struct tokens *tokens, struct span span);
