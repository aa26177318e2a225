/**
 * XML, written piece by piece to a stream, so that its size does not matter. Each element begins on a line of its own,
 * indented by tabs, unless text is before it in its parent. Errors of writing are those of the stream.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define XML_OUT_DEPTH_MAX 16

struct xml_out {
	FILE *file;
	const char *names[XML_OUT_DEPTH_MAX]; /* of the elements that are open: they have to live as long */
	unsigned int depth;
	bool in_tag;   /* attributes may follow */
	bool has_text; /* of the innermost element: nothing is indented behind it */
};

/** The declaration; UTF-8. */
void xml_out_begin_document(struct xml_out *xml, FILE *file);

void xml_out_begin(struct xml_out *xml, const char *name);
/** Of the element that began last, before anything in it. */
void xml_out_attribute(struct xml_out *xml, const char *name, const char *value);
void xml_out_text(struct xml_out *xml, const char *text);
/** @p text without "--". */
void xml_out_comment(struct xml_out *xml, const char *text);
void xml_out_end(struct xml_out *xml);
