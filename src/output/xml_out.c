#include "output/xml_out.h"

#include <assert.h>

static void escape(struct xml_out *xml, const char *text, bool is_attribute)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", xml->file);
			break;
		case '<':
			fputs("&lt;", xml->file);
			break;
		case '>':
			fputs("&gt;", xml->file);
			break;
		case '\r': /* a reader would make a newline of it, and in an attribute a space of each of these */
		case '\n':
		case '\t':
		case '"':
			if (is_attribute || *text == '\r')
				fprintf(xml->file, *text == '"' ? "&quot;" : "&#%d;", *text);
			else
				fputc(*text, xml->file);
			break;
		default:
			fputc(*text, xml->file);
		}
	}
}

static void indent(struct xml_out *xml)
{
	for (unsigned int i = 0; i < xml->depth && !xml->has_text; i++)
		fputc('\t', xml->file);
}

static void end_line(struct xml_out *xml)
{
	if (!xml->has_text)
		fputc('\n', xml->file);
}

static void close_tag(struct xml_out *xml)
{
	if (xml->in_tag)
		fputc('>', xml->file);
	xml->in_tag = false;
}

void xml_out_begin_document(struct xml_out *xml, FILE *file)
{
	*xml = (struct xml_out){.file = file};
	fputs("<?xml version=\"1.0\"?>\n", file);
}

/* What stands on lines of its own in an element. */
static void begin_child(struct xml_out *xml)
{
	if (xml->in_tag) {
		close_tag(xml);
		end_line(xml);
	}
	indent(xml);
}

void xml_out_begin(struct xml_out *xml, const char *name)
{
	assert(xml->depth < XML_OUT_DEPTH_MAX);
	begin_child(xml);
	fprintf(xml->file, "<%s", name);
	xml->names[xml->depth++] = name;
	xml->in_tag = true;
	xml->has_text = false;
}

void xml_out_attribute(struct xml_out *xml, const char *name, const char *value)
{
	fprintf(xml->file, " %s=\"", name);
	escape(xml, value, true);
	fputc('"', xml->file);
}

void xml_out_text(struct xml_out *xml, const char *text)
{
	close_tag(xml);
	xml->has_text = true;
	escape(xml, text, false);
}

void xml_out_comment(struct xml_out *xml, const char *text)
{
	begin_child(xml);
	fprintf(xml->file, "<!--%s-->", text);
	end_line(xml);
}

void xml_out_end(struct xml_out *xml)
{
	const char *name = xml->names[--xml->depth];

	if (xml->in_tag) {
		fputs("/>", xml->file);
	} else {
		indent(xml);
		fprintf(xml->file, "</%s>", name);
	}
	xml->in_tag = xml->has_text = false;
	end_line(xml);
}
