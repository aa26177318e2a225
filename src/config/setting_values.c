/* What a text in a file is as a boolean, a number, a text or a list, as coverage.py has it. */
#include "settings.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int wrong(struct config_file *file, const struct config_setting *s, const char *what)
{
	return config_file_wrong(file, s->line, s->column, "[%s] %s is not %s%s%.80s", s->section, s->name, what,
				 s->text ? ": " : "", s->text ? s->text : "");
}

static int expand(struct config_file *file, const struct config_setting *s, const char *text, char **ret)
{
	char name[128];
	int r = config_expand_variables(text, name, sizeof(name), ret);

	if (r == -ENOENT)
		return config_file_wrong(file, s->line, s->column, "[%s] %s: the variable %s is not set", s->section,
					 s->name, name);
	return r;
}

/* A copy of @text without white space around. */
static char *stripped(const char *text, size_t len)
{
	char *copy;
	size_t end = 0;

	for (size_t n; len && (n = config_space(text)) && n <= len; text += n, len -= n)
		;
	copy = strndup(text, len);
	/* the end of the last character that is no space */
	for (size_t i = 0; copy && copy[i];) {
		size_t n = config_space(copy + i);

		i += n ? n : 1;
		if (!n)
			end = i;
	}
	if (copy)
		copy[end] = '\0';
	return copy;
}

/* Add the non-empty parts of @text between any of @separators. */
int setting_split(struct string_list *list, const char *text, const char *separators)
{
	int r = 0;

	while (*text && r == 0) {
		size_t n = strcspn(text, separators);
		_cleanup_free_ char *item = stripped(text, n);

		if (!item)
			return -ENOMEM;
		if (*item)
			r = string_list_push(list, item);
		text += n + (text[n] != '\0');
	}
	return r;
}

int setting_read_list(struct config_file *file, const struct config_setting *s, bool regexes, struct string_list *list)
{
	_cleanup_free_ char *text = NULL;
	int r = 0;

	if (!file->is_toml) {
		r = expand(file, s, s->text, &text);
		return r < 0 ? r : setting_split(list, text, regexes ? "\n" : "\n,");
	}
	if (s->kind != CONFIG_KIND_LIST)
		return wrong(file, s, "a list of strings");
	for (size_t i = 0; i < s->list.n && r == 0; i++) {
		_cleanup_free_ char *item = NULL;

		r = expand(file, s, s->list.items[i], &item);
		if (r == 0)
			r = regexes ? setting_split(list, item, "") : string_list_push(list, item);
	}
	return r;
}

static int set_list(struct config_file *file, const struct config_setting *s, bool regexes, struct string_list *ret)
{
	struct string_list list = {0};
	int r = setting_read_list(file, s, regexes, &list);

	if (r < 0) {
		string_list_deinit(&list);
		return r;
	}
	string_list_deinit(ret);
	*ret = list;
	return 0;
}

static int set_text(struct config_file *file, const struct config_setting *s, bool is_file, char **ret)
{
	_cleanup_free_ char *text = NULL;
	char *value;
	int r;

	if (s->kind != CONFIG_KIND_TEXT)
		return wrong(file, s, "a string");
	r = expand(file, s, s->text, &text);
	if (r == 0 && is_file)
		r = config_expand_home(text, &value);
	else if (r == 0)
		value = take_ptr(text);
	if (r < 0)
		return r;
	free(*ret);
	*ret = value;
	return 0;
}

static int word_index(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(text, words[i]))
			return (int)i;
	return -1;
}

static int read_boolean(struct config_file *file, const struct config_setting *s, bool *ret)
{
	/* the odd ones are true */
	static const char *const words[] = {"0", "1", "no", "yes", "false", "true", "off", "on"};
	_cleanup_free_ char *text = NULL;
	int r, i;

	if (s->kind == CONFIG_KIND_BOOLEAN) {
		*ret = s->number != 0;
		return 0;
	}
	if (s->kind != CONFIG_KIND_TEXT)
		return wrong(file, s, "a boolean");
	r = expand(file, s, s->text, &text);
	if (r < 0)
		return r;
	i = word_index(text, words, ARRAY_SIZE(words));
	if (i < 0 || (file->is_toml && strcmp(text, "true") && strcmp(text, "false")))
		return wrong(file, s, "a boolean");
	*ret = i & 1;
	return 0;
}

/* Underscores between digits are passed over, as Python does. */
static bool drop_underscores(char *text)
{
	char *to = text;

	for (char *s = text; *s; s++) {
		if (*s != '_')
			*to++ = *s;
		else if (s == text || !strchr("0123456789", s[-1]) || !s[1] || !strchr("0123456789", s[1]))
			return false;
	}
	*to = '\0';
	return true;
}

static int parse_number(const char *given, bool integer, double *ret)
{
	static const char *const words[] = {"inf",	 "+inf", "-inf", "infinity", "+infinity",
					    "-infinity", "nan",	 "+nan", "-nan"};
	_cleanup_free_ char *text = stripped(given, strlen(given));
	char *end;

	if (!text)
		return -ENOMEM;
	if (!*text || !drop_underscores(text))
		return -EINVAL;
	if (text[strspn(text, integer ? "+-0123456789" : "+-.0123456789eE")] &&
	    (integer || word_index(text, words, ARRAY_SIZE(words)) < 0))
		return -EINVAL;
	*ret = integer ? (double)strtol(text, &end, 10) : strtod(text, &end);
	return *end || end == text ? -EINVAL : 0;
}

static int read_number(struct config_file *file, const struct config_setting *s, bool integer, double *ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (s->kind == CONFIG_KIND_INTEGER || (s->kind == CONFIG_KIND_FLOAT && !integer)) {
		*ret = s->number;
	} else if (s->kind == CONFIG_KIND_TEXT) {
		r = expand(file, s, s->text, &text);
		if (r == 0)
			r = parse_number(text, integer, ret);
		if (r < 0)
			return r == -EINVAL && text ? wrong(file, s, integer ? "an integer" : "a number") : r;
	} else {
		return wrong(file, s, integer ? "an integer" : "a number");
	}
	return integer && !(*ret >= INT_MIN && *ret <= INT_MAX) ? wrong(file, s, "an integer of this size") : 0;
}

int setting_read(struct config *c, const struct setting *row, struct config_file *file, const struct config_setting *s)
{
	void *member = (char *)c + row->offset;
	double number = 0;
	bool boolean = false;
	int r = 0;

	switch (row->type) {
	case SETTING_BOOLEAN:
		r = read_boolean(file, s, &boolean);
		*(bool *)member = boolean;
		break;
	case SETTING_SWITCH:
		r = read_boolean(file, s, &boolean);
		*(enum config_switch *)member = boolean ? CONFIG_ON : CONFIG_OFF;
		break;
	case SETTING_INTEGER:
		r = read_number(file, s, true, &number);
		*(int *)member = (int)number;
		break;
	case SETTING_FLOAT:
		r = read_number(file, s, false, &number);
		*(double *)member = number;
		break;
	case SETTING_TEXT:
	case SETTING_FILE:
		r = set_text(file, s, row->type == SETTING_FILE, member);
		break;
	case SETTING_LIST:
	case SETTING_REGEXES:
		r = set_list(file, s, row->type == SETTING_REGEXES, member);
		break;
	case SETTING_NOTHING:
		break;
	}
	return r;
}
