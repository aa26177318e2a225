#include "config_file.h"

#include <string.h>

/* A word that grows, and the list it will be in. */
struct splitter {
	struct string_list *words;
	char *word;
	size_t len;
	bool open; /* there is a word, maybe an empty one */
};

static int end_word(struct splitter *s)
{
	int r = 0;

	if (s->open) {
		s->word[s->len] = '\0';
		r = string_list_push(s->words, s->word);
	}
	s->len = 0;
	s->open = false;
	return r;
}

/* Take what is between quotes at @text; yields what is behind them, or NULL if they do not end. */
static const char *take_quoted(struct splitter *s, const char *text)
{
	char quote = *text++;

	for (; *text && *text != quote; text++) {
		if (quote == '"' && *text == '\\' && (text[1] == '"' || text[1] == '\\'))
			text++;
		s->word[s->len++] = *text;
	}
	s->open = true;
	return *text ? text + 1 : NULL;
}

static int split(struct splitter *s, const char *text)
{
	while (*text) {
		if (strchr(" \t\r\n", *text)) {
			int r = end_word(s);

			if (r < 0)
				return r;
			text++;
		} else if (*text == '\'' || *text == '"') {
			text = take_quoted(s, text);
			if (!text)
				return -EINVAL;
		} else {
			text += *text == '\\';
			if (!*text)
				return -EINVAL;
			s->word[s->len++] = *text++;
			s->open = true;
		}
	}
	return end_word(s);
}

int config_split_words(const char *text, struct string_list *ret)
{
	struct string_list words = {0};
	struct splitter s = {.words = &words, .word = malloc(strlen(text) + 1)};
	int r = s.word ? split(&s, text) : -ENOMEM;

	free(s.word);
	if (r < 0)
		string_list_deinit(&words);
	else
		*ret = words;
	return r;
}
