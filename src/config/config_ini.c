/*
 * INI as configparser has it (CPython Lib/configparser.py, RawConfigParser._read(), as coverage.py sets it up): a
 * value goes on as long as lines are indented deeper than its name, over empty lines and comments; an indented name is
 * a name; [DEFAULT] is in every section; there are no comments behind a value. No library of Debian 12 reads that:
 * libinih ends at 200 bytes of a line, takes every indented line for a continuation and ` ;` for a comment, libini-config
 * refuses indented names, and both lose what separates the lines of a value. tests/integration/cases/config.py compares
 * this with configparser itself.
 */
#include "config_file.h"

#include <string.h>

#include "base/utf8.h"

#define DEFAULT_SECTION "DEFAULT"

struct ini {
	struct config_file *file;
	const char *at; /* what is left */
	char *line;	/* the present one, and what is left of it without white space around */
	char *value;
	int number, indent, name_indent;
	const char *section; /* the present one, or NULL */
	bool has_setting;    /* the last setting may go on */
	int empty_lines;     /* which belong to its value if more of it follows */
};

/* Cut off white space at the end, and yield where it ends at the beginning. */
static char *strip(char *text)
{
	char *end;

	while (config_space(text))
		text += config_space(text);
	end = text + strlen(text);
	while (end > text) {
		char *last = end - 1;

		while (last > text && ((unsigned char)*last & 0xc0) == 0x80)
			last--;
		if (!config_space(last))
			break;
		end = last;
	}
	*end = '\0';
	return text;
}

/* Universal newlines. False at the end of the file; -ENOMEM leaves `line` NULL. */
static bool next_line(struct ini *ini)
{
	size_t n = strcspn(ini->at, "\r\n");

	if (!*ini->at)
		return false;
	free(ini->line);
	ini->line = strndup(ini->at, n);
	ini->at += n;
	if (ini->at[0] == '\r' && ini->at[1] == '\n')
		ini->at++;
	if (*ini->at)
		ini->at++;
	ini->number++;
	ini->value = ini->line;
	ini->indent = 0;
	/* in characters, as Python counts them */
	while (ini->line && config_space(ini->value)) {
		ini->value += config_space(ini->value);
		ini->indent++;
	}
	if (ini->line)
		strip(ini->value);
	return true;
}

static struct config_setting *last_setting(struct ini *ini)
{
	return &ini->file->settings[ini->file->n - 1];
}

/* Another line of the last value, behind the empty ones that came before it. */
static int continue_value(struct ini *ini)
{
	struct config_setting *setting = last_setting(ini);
	size_t old = strlen(setting->text), empty = (size_t)ini->empty_lines, more = strlen(ini->value);
	char *text = realloc(setting->text, old + empty + 1 + more + 1);

	if (!text)
		return -ENOMEM;
	setting->text = text;
	memset(text + old, '\n', empty + 1);
	memcpy(text + old + empty + 1, ini->value, more + 1);
	ini->empty_lines = 0;
	return 0;
}

static bool exists(const struct ini *ini, const char *section, const char *name)
{
	for (size_t i = 0; i < ini->file->n; i++) {
		const struct config_setting *s = &ini->file->settings[i];

		if (!strcmp(s->section, section) && (!name ? !s->name : s->name && !strcmp(s->name, name)))
			return true;
	}
	return false;
}

static int begin_section(struct ini *ini, size_t end)
{
	_cleanup_free_ char *name = strndup(ini->value + 1, end - 1);
	struct config_setting *section;

	if (!name)
		return -ENOMEM;
	if (exists(ini, name, NULL) && strcmp(name, DEFAULT_SECTION))
		return config_file_wrong(ini->file, ini->number, ini->indent + 1, "a second section [%s]", name);
	section = config_file_add(ini->file, name, NULL, ini->number, ini->indent + 1);
	if (!section)
		return -ENOMEM;
	ini->section = section->section;
	ini->has_setting = false;
	return 0;
}

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + 'a' - 'A');
}

static int add_setting(struct ini *ini)
{
	size_t n = strcspn(ini->value, "=:");
	int column = ini->indent + 1;
	struct config_setting *setting;
	char *value;

	if (!ini->value[n])
		return config_file_wrong(ini->file, ini->number, column, "neither a [section] nor 'name = value'");
	if (n == 0)
		return config_file_wrong(ini->file, ini->number, column, "a setting without a name");
	ini->value[n] = '\0';
	value = strip(ini->value + n + 1);
	column = *value ? (int)(value - ini->line) + 1 : column;
	strip(ini->value);
	lower(ini->value);
	if (exists(ini, ini->section, ini->value))
		return config_file_wrong(ini->file, ini->number, ini->indent + 1, "a second '%s' in [%s]", ini->value,
					 ini->section);
	setting = config_file_add(ini->file, ini->section, ini->value, ini->number, column);
	if (setting)
		setting->text = strdup(value);
	if (!setting || !setting->text)
		return -ENOMEM;
	ini->has_setting = true;
	ini->empty_lines = 0;
	return 0;
}

static int read_line(struct ini *ini)
{
	const char *end;

	if (*ini->value == '#' || *ini->value == ';')
		return 0;
	if (!*ini->value) {
		ini->empty_lines += ini->has_setting;
		return 0;
	}
	if (ini->section && ini->has_setting && ini->indent > ini->name_indent)
		return continue_value(ini);
	ini->name_indent = ini->indent;
	end = *ini->value == '[' ? strrchr(ini->value, ']') : NULL;
	if (end && end > ini->value + 1)
		return begin_section(ini, (size_t)(end - ini->value));
	if (!ini->section)
		return config_file_wrong(ini->file, ini->number, ini->indent + 1, "no [section] before this");
	return add_setting(ini);
}

int config_ini_parse(struct config_file *file, const char *text)
{
	struct ini ini = {.file = file, .at = text};
	int r = 0;

	if (!utf8_valid(text))
		return config_file_wrong(file, 1, 1, "it is not UTF-8");
	while (r == 0 && next_line(&ini))
		r = ini.line ? read_line(&ini) : -ENOMEM;
	free(ini.line);
	return r;
}
