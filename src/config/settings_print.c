/* All settings as --debug=config shows them. */
#include "settings.h"

#include <math.h>

static void print_text(FILE *out, const char *text)
{
	if (!text) {
		fprintf(out, "null");
		return;
	}
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c == 127)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void print_list(FILE *out, const struct string_list *list)
{
	putc('[', out);
	for (size_t i = 0; i < list->n; i++) {
		fprintf(out, i ? ", " : "");
		print_text(out, list->items[i]);
	}
	putc(']', out);
}

/* JSON has no word for what is not finite; these are Python's. */
static void print_number(FILE *out, double number)
{
	if (isfinite(number))
		fprintf(out, "%.17g", number);
	else
		fprintf(out, "%s", isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity");
}

static void print_value(FILE *out, const struct setting *row, const void *member)
{
	static const char *const switches[] = {"false", "true", "null"};

	switch (row->type) {
	case SETTING_BOOLEAN:
		fprintf(out, "%s", switches[*(const bool *)member]);
		break;
	case SETTING_SWITCH:
		fprintf(out, "%s", switches[*(const enum config_switch *)member]);
		break;
	case SETTING_INTEGER:
		fprintf(out, "%d", *(const int *)member);
		break;
	case SETTING_FLOAT:
		print_number(out, *(const double *)member);
		break;
	case SETTING_TEXT:
	case SETTING_FILE:
		print_text(out, *(char *const *)member);
		break;
	case SETTING_LIST:
	case SETTING_REGEXES:
		print_list(out, member);
		break;
	case SETTING_NOTHING:
		break;
	}
	putc('\n', out);
}

void config_print(const struct config *c, FILE *out)
{
	fprintf(out, "file = ");
	print_text(out, c->file);
	putc('\n', out);
	for (size_t i = 0; i < n_settings; i++) {
		if (settings[i].type == SETTING_NOTHING)
			continue;
		fprintf(out, "%s:%s = ", settings[i].section, settings[i].name);
		print_value(out, &settings[i], (const char *)c + settings[i].offset);
	}
	for (size_t i = 0; i < c->n_paths; i++) {
		fprintf(out, "paths:%s = ", c->paths[i].name);
		print_list(out, &c->paths[i].places);
		putc('\n', out);
	}
}
