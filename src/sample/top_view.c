#include "sample/top_view.h"

#include "base/printable.h"
#include "base/utf8.h"
#include "sample/calltree.h"
#include "sample/summary.h"
#include "sample/top_model.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

#define TEXT_MAX 2048

struct top_view {
	const struct profile *profile;
	struct top_model model;
	SCREEN *screen;
	int out;
	bool utf8, paused, help;
	size_t first; /* row of the model on top */
	char note[256];
};

/* Text */

/* Columns that a character takes; 0 for those that combine with the one before. */
static int width_of(uint32_t c)
{
	int width = wcwidth((wchar_t)c);

	return width < 0 ? 1 : width;
}

/* As much of the printable @p text as goes into @p columns. */
static void put(const struct top_view *v, const char *text, int columns)
{
	while (*text && columns > 0) {
		uint32_t c;
		size_t len = utf8_decode(text, &c);
		int width = v->utf8 && len ? width_of(c) : 1;

		if (width > columns)
			break;
		if (len > 1 && !v->utf8)
			addch('?');
		else
			addnstr(text, (int)(len ? len : 1));
		text += len ? len : 1;
		columns -= width;
	}
}

__attribute__((format(printf, 3, 4))) static void put_line(const struct top_view *v, int y, const char *fmt, ...)
{
	char text[TEXT_MAX], shown[TEXT_MAX];
	va_list args;

	if (y >= LINES)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable(shown, sizeof(shown), text);
	move(y, 0);
	/* What is put into the last place of the screen makes some terminals scroll. */
	put(v, shown, y == LINES - 1 ? COLS - 1 : COLS);
}

/* Parts of the screen */

static int draw_head(const struct top_view *v)
{
	const struct profile *p = v->profile;
	const struct top_shares *s = &v->model.shares;
	char title[512];

	summary_title(title, sizeof(title), p, &(struct profile_view){0});
	attron(A_BOLD);
	put_line(v, 0, "%s", title);
	attroff(A_BOLD);
	put_line(v, 1, "on CPU %5.1f%%  GIL %5.1f%%  waiting for it %5.1f%%  idle %5.1f%%  threads %u", s->cpu, s->gil,
		 s->gil_wait, s->idle, p->n_threads);
	put_line(v, 2, "%.0f s, %llu samples at %u per second; not counted: %llu", v->model.seconds,
		 (unsigned long long)p->counts.samples, p->info.rate,
		 (unsigned long long)(p->info.torn + p->info.unread + p->info.late));
	return 3;
}

static int draw_processes(const struct top_view *v, int y)
{
	size_t room = LINES > 16 ? (size_t)(LINES - 10) / 4 : 1;

	if (v->profile->n_processes < 2)
		return y;
	for (size_t i = 0; i < v->model.n_processes && i < room; i++) {
		const struct top_process *o = &v->model.processes[i];
		char label[512];

		process_label(label, sizeof(label), v->profile, o->process);
		put_line(v, y++, "on CPU %5.1f%%  GIL %5.1f%%  %s", o->shares.cpu, o->shares.gil, label);
	}
	if (v->model.n_processes > room)
		put_line(v, y++, "%zu more processes", v->model.n_processes - room);
	return y;
}

static void draw_columns(const struct top_view *v, int y)
{
	static const char *const names[] = {"own%", "total%", "own s", "total s"};
	static const int widths[] = {7, 8, 10, 10};

	attron(A_REVERSE);
	mvhline(y, 0, ' ', COLS);
	move(y, 0);
	for (int i = 0; i < TOP_N_COLUMNS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%*s%s", widths[i] - (v->model.sort == (enum top_column)i), names[i],
			 v->model.sort == (enum top_column)i ? "*" : "");
		put(v, text, COLS - getcurx(stdscr));
	}
	put(v, v->model.lines ? "  line" : "  function", COLS - getcurx(stdscr));
	attroff(A_REVERSE);
}

static void draw_row(const struct top_view *v, int y, const struct top_row *row)
{
	const double *values = row->values;
	char label[TEXT_MAX];

	frame_label(label, sizeof(label), v->profile, row->frame, v->model.short_names, !v->model.lines);
	if (values[v->model.sort] > 0 && values[TOP_OWN] >= 50)
		attron(A_BOLD);
	put_line(v, y, "%7.1f%8.1f%10.2f%10.2f  %s", values[TOP_OWN], values[TOP_TOTAL], values[TOP_OWN_SECONDS],
		 values[TOP_TOTAL_SECONDS], label);
	attroff(A_BOLD);
}

static void draw_rows(struct top_view *v, int y)
{
	size_t room = LINES - 1 > y ? (size_t)(LINES - 1 - y) : 0;

	if (v->first >= v->model.n_rows)
		v->first = v->model.n_rows ? v->model.n_rows - 1 : 0;
	for (size_t i = 0; i < room && v->first + i < v->model.n_rows; i++)
		draw_row(v, y + (int)i, &v->model.rows[v->first + i]);
	if (!v->model.n_rows)
		put_line(v, y, "no samples of Python yet");
}

static void draw_help(const struct top_view *v, int y)
{
	static const char *const lines[] = {
		"1, 2   sort by own or total time of the last interval",
		"3, 4   sort by own or total seconds since the start",
		"l      lines, or functions",
		"r      count the seconds from now on",
		"p      pause the screen; samples go on",
		"arrows, page up and down, home: look further down",
		"q      quit",
		"",
		"Percentages are of wall time: two busy threads have 200 %.",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		put_line(v, y + (int)i, "%s", lines[i]);
}

static void draw(struct top_view *v)
{
	int y;

	erase();
	y = draw_processes(v, draw_head(v));
	if (y < LINES)
		draw_columns(v, y);
	if (v->help)
		draw_help(v, y + 1);
	else
		draw_rows(v, y + 1);
	attron(A_BOLD);
	put_line(v, LINES - 1, "%s%s", v->paused ? "[paused] " : "",
		 *v->note ? v->note : "q quit  p pause  l lines  1-4 sort  r reset  ? help");
	attroff(A_BOLD);
	refresh();
}

/* Life */

int top_view_new(const struct profile *p, bool lines, FILE *in, FILE *out, uint64_t now_ns, struct top_view **ret)
{
	_cleanup_top_view_ struct top_view *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (!isatty(fileno(in)) || !isatty(fileno(out)))
		return -ENOTTY;
	v->profile = p;
	v->out = fileno(out);
	setlocale(LC_CTYPE, "");
	v->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	v->screen = newterm(NULL, out, in);
	if (!v->screen)
		return -ENOTSUP;
	if (!tigetstr("cup")) {
		endwin();
		delscreen(take_ptr(v->screen));
		return -ENOTSUP;
	}
	top_model_init(&v->model, p, now_ns);
	v->model.lines = lines;
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	draw(v);
	*ret = take_ptr(v);
	return 0;
}

void top_view_free(struct top_view *v)
{
	if (!v)
		return;
	if (v->screen) {
		endwin();
		delscreen(v->screen);
	}
	top_model_deinit(&v->model);
	free(v);
}

int top_view_update(struct top_view *v, uint64_t now_ns)
{
	int r = 0;

	if (!v->paused)
		r = top_model_update(&v->model, now_ns);
	draw(v);
	return r;
}

void top_view_note(struct top_view *v, const char *note)
{
	printable(v->note, sizeof(v->note), note ? note : "");
	draw(v);
}

static void resized(struct top_view *v)
{
	struct winsize size;

	if (ioctl(v->out, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col ||
	    !is_term_resized(size.ws_row, size.ws_col))
		return;
	resizeterm(size.ws_row, size.ws_col);
	clearok(stdscr, TRUE);
}

static void scroll_rows(struct top_view *v, long by)
{
	if (by < 0)
		v->first = v->first > (size_t)-by ? v->first - (size_t)-by : 0;
	else if (v->first + (size_t)by < v->model.n_rows)
		v->first += (size_t)by;
}

/* A failure for want of memory leaves the rows as they were. */
static void ignore(int r)
{
	(void)r;
}

static enum top_action act(struct top_view *v, int key, uint64_t now_ns)
{
	switch (key) {
	case 'q':
	case 'Q':
	case 3: /* ^C, where the terminal does not make a signal of it */
		return TOP_QUIT;
	case '1':
	case '2':
	case '3':
	case '4':
		top_model_sort(&v->model, (enum top_column)(key - '1'));
		v->first = 0;
		break;
	case 'l':
		ignore(top_model_set_lines(&v->model, !v->model.lines, now_ns));
		v->first = 0;
		break;
	case 'r':
		ignore(top_model_reset(&v->model, now_ns));
		break;
	case 'p':
	case ' ':
		v->paused = !v->paused;
		break;
	case '?':
	case 'h':
		v->help = !v->help;
		break;
	case KEY_DOWN:
	case 'j':
		scroll_rows(v, 1);
		break;
	case KEY_UP:
	case 'k':
		scroll_rows(v, -1);
		break;
	case KEY_NPAGE:
		scroll_rows(v, LINES / 2);
		break;
	case KEY_PPAGE:
		scroll_rows(v, -(LINES / 2));
		break;
	case KEY_HOME:
	case 'g':
		v->first = 0;
		break;
	case 12: /* ^L */
		clearok(stdscr, TRUE);
		break;
	default:
		break;
	}
	return TOP_NOTHING;
}

enum top_action top_view_keys(struct top_view *v, uint64_t now_ns)
{
	int key;

	resized(v);
	while ((key = getch()) != ERR)
		if (act(v, key, now_ns) == TOP_QUIT)
			return TOP_QUIT;
	draw(v);
	return TOP_NOTHING;
}
