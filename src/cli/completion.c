/*
 * What an option's value is, is read from its row: a file where the row says so, one of some words where the argument
 * is written as "a|b|c" in lower case, and otherwise something nobody can guess. The operands of a command are files,
 * or such words. The first word of all is a command of ours or a program, and what follows a program is its own.
 */
#include "cli/completion.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------------- the tables */

static bool is_choice(const char *text)
{
	if (!text || !strchr(text, '|'))
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !strchr("|-", *text))
			return false;
	return true;
}

static void put_choices(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(*text == '|' ? ' ' : *text, out);
}

static bool is_shown(const struct cli_command *c)
{
	return !(c->flags & CLI_NO_COMPLETION);
}

/** @p text, with a backslash before each of @p special, and in single quotes as @p quote writes one inside of them. */
static void put_escaped(FILE *out, const char *text, const char *special, const char *quote)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			fputc('\\', out);
		if (*text == '\'')
			fputs(quote, out);
		else
			fputc(*text, out);
	}
}

/** Call @p fn for each command that is shown; the program itself comes last, for what is not a command. */
static void for_commands(FILE *out, const struct cli_command *program,
			 void (*fn)(FILE *out, const struct cli_command *c))
{
	for (size_t i = 0; program->commands && program->commands[i]; i++)
		if (is_shown(program->commands[i]))
			fn(out, program->commands[i]);
	fn(out, program);
}

static void put_names(FILE *out, const struct cli_command *program)
{
	for (size_t i = 0; program->commands && program->commands[i]; i++)
		if (is_shown(program->commands[i]))
			fprintf(out, "%s%s", i ? " " : "", program->commands[i]->name);
}

/* ------------------------------------------------------------------------------------------------------------ bash */

static void bash_value(FILE *out, const struct cli_command *c, const struct cli_option *o)
{
	if (!o->argument)
		return;
	fprintf(out, "\t%s,--%s", c->name ? c->name : "", o->name);
	if (o->id < 256)
		fprintf(out, " | %s,-%c", c->name ? c->name : "", o->id);
	fputs(") echo '", out);
	if (o->is_file)
		fputs("<file>", out);
	else if (is_choice(o->argument))
		put_choices(out, o->argument);
	else
		fputs("<any>", out);
	fputs("' ;;\n", out);
}

static void bash_values(FILE *out, const struct cli_command *c)
{
	const struct cli_option *o;

	for (size_t i = 0; (o = cli_option_at(c, i)); i++)
		bash_value(out, c, o);
}

static void bash_words(FILE *out, const struct cli_command *c)
{
	const struct cli_option *o;

	fprintf(out, "\t%s) echo '", c->name ? c->name : "''");
	for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
		fprintf(out, "%s--%s%s", i ? " " : "", o->name, o->argument ? "=" : "");
		if (o->id < 256)
			fprintf(out, " -%c", o->id);
	}
	fputs("' ;;\n", out);
}

static void bash_operands(FILE *out, const struct cli_command *c)
{
	if (!c->name || !is_choice(c->operands))
		return;
	fprintf(out, "\t%s) echo '", c->name);
	put_choices(out, c->operands);
	fputs("' ;;\n", out);
}

static const char bash_code[] =
	"# The words up to the cursor, with those put together that bash takes apart at \"=\".\n"
	"_pycov_trace_words()\n"
	"{\n"
	"\tlocal i word last\n"
	"\n"
	"\twords=() at=()\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]} last=$((${#words[@]} - 1))\n"
	"\t\tif ((i > 1)) && [[ $word == =* && ${words[last]} == --* && ${words[last]} != *=* ]] ||\n"
	"\t\t\t[[ ${COMP_WORDS[i - 1]} == = && ${words[last]-} == --*= ]]; then\n"
	"\t\t\twords[last]+=$word\n"
	"\t\telse\n"
	"\t\t\twords+=(\"$word\") at+=($i)\n"
	"\t\tfi\n"
	"\tdone\n"
	"}\n"
	"\n"
	"# Those of the words that $1 begins, or files.\n"
	"_pycov_trace_reply()\n"
	"{\n"
	"\tlocal begun=$1 prefix=$2 what=$3\n"
	"\n"
	"\tcase $what in\n"
	"\t'<any>') ;;\n"
	"\t'<file>')\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -P \"$prefix\" -f -- \"$begun\") ;;\n"
	"\t*)\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -P \"$prefix\" -W \"$what\" -- \"$begun\")\n"
	"\t\t[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null ;;\n"
	"\tesac\n"
	"}\n"
	"\n"
	"# A program and what follows it, from word $1 on.\n"
	"_pycov_trace_program()\n"
	"{\n"
	"\tif declare -F _command_offset >/dev/null; then\n"
	"\t\t_command_offset \"$1\"\n"
	"\telif (($1 == COMP_CWORD)); then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -c -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
	"\telse\n"
	"\t\t_pycov_trace_reply \"${COMP_WORDS[COMP_CWORD]}\" '' '<file>'\n"
	"\tfi\n"
	"}\n"
	"\n"
	"_pycov_trace()\n"
	"{\n"
	"\tlocal -a words at\n"
	"\tlocal command='' value='' word prefix='' i last ended=\n"
	"\n"
	"\tCOMPREPLY=()\n"
	"\t_pycov_trace_words\n"
	"\tlast=$((${#words[@]} - 1)) word=${words[last]}\n"
	"\tif ((last > 1)) && [[ \" $_pycov_trace_commands \" == *\" ${words[1]} \"* ]]; then\n"
	"\t\tcommand=${words[1]}\n"
	"\tfi\n"
	"\tfor ((i = command ? 2 : 1; i < last; i++)); do\n"
	"\t\tif [[ ! $ended && ${words[i]} == -- ]]; then\n"
	"\t\t\tended=1\n"
	"\t\telif [[ ! $ended && ${words[i]} == -* ]]; then\n"
	"\t\t\tvalue=$(_pycov_trace_value \"$command\" \"${words[i]}\")\n"
	"\t\t\t[[ ! $value ]] || ((++i))\n"
	"\t\telif [[ ! $command ]]; then\n"
	"\t\t\t_pycov_trace_program \"${at[i]}\"\n"
	"\t\t\treturn\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif ((i > last)); then # the value of the option before\n"
	"\t\t_pycov_trace_reply \"$word\" '' \"$value\"\n"
	"\telif [[ ! $ended && $word == --*=* ]]; then\n"
	"\t\t[[ $COMP_WORDBREAKS == *=* ]] || prefix=${word%%=*}=\n"
	"\t\t_pycov_trace_reply \"${word#*=}\" \"$prefix\" \"$(_pycov_trace_value \"$command\" \"${word%%=*}\")\"\n"
	"\telif [[ ! $ended && $word == -* ]]; then\n"
	"\t\t_pycov_trace_reply \"$word\" '' \"$(_pycov_trace_options \"$command\")\"\n"
	"\telif [[ $command ]]; then\n"
	"\t\t_pycov_trace_reply \"$word\" '' \"$(_pycov_trace_operands \"$command\")\"\n"
	"\telse\n"
	"\t\t_pycov_trace_program \"${at[last]}\"\n"
	"\t\t((last > 1)) || mapfile -O ${#COMPREPLY[@]} -t COMPREPLY < <(compgen -W \"$_pycov_trace_commands\" -- \"$word\")\n"
	"\tfi\n"
	"}\n"
	"\n"
	"complete -F _pycov_trace pycov-trace\n";

static void write_bash(FILE *out, const struct cli_command *program)
{
	fputs("# bash completion for pycov-trace; written by `pycov-trace completion bash`.\n\n_pycov_trace_commands='",
	      out);
	put_names(out, program);
	fputs("'\n\n_pycov_trace_options()\n{\n\tcase $1 in\n", out);
	for_commands(out, program, bash_words);
	fputs("\tesac\n}\n\n# What option $2 of command $1 takes; nothing if it is a flag.\n"
	      "_pycov_trace_value()\n{\n\tcase $1,$2 in\n",
	      out);
	for_commands(out, program, bash_values);
	fputs("\tesac\n}\n\n_pycov_trace_operands()\n{\n\tcase $1 in\n", out);
	for_commands(out, program, bash_operands);
	fputs("\t*) echo '<file>' ;;\n\tesac\n}\n\n", out);
	fputs(bash_code, out);
}

/* ------------------------------------------------------------------------------------------------------------- zsh */

static void zsh_quoted(FILE *out, const char *text)
{
	put_escaped(out, text, "[]:\\", "'\\''");
}

static void zsh_value(FILE *out, const struct cli_option *o)
{
	fputc(':', out);
	zsh_quoted(out, o->argument);
	fputc(':', out);
	if (o->is_file) {
		fputs("_files", out);
	} else if (is_choice(o->argument)) {
		fputc('(', out);
		put_choices(out, o->argument);
		fputc(')', out);
	}
}

static void zsh_option(FILE *out, const struct cli_option *o)
{
	/* an option may be given again where its value is a list */
	bool list = o->argument && strstr(o->argument, "...");

	fputs("\t\t'", out);
	if (list)
		fputc('*', out);
	else if (o->id < 256)
		fprintf(out, "(-%c --%s)", o->id, o->name);
	if (o->id < 256)
		fprintf(out, "'{-%c%s,--%s%s}'", o->id, o->argument ? "+" : "", o->name, o->argument ? "=" : "");
	else
		fprintf(out, "--%s%s", o->name, o->argument ? "=" : "");
	fputc('[', out);
	zsh_quoted(out, o->help);
	fputc(']', out);
	if (o->argument)
		zsh_value(out, o);
	fputs("' \\\n", out);
}

static void zsh_options(FILE *out, const struct cli_command *c)
{
	const struct cli_option *o;

	for (size_t i = 0; (o = cli_option_at(c, i)); i++)
		zsh_option(out, o);
}

static void zsh_command(FILE *out, const struct cli_command *c)
{
	if (!c->name)
		return;
	fprintf(out, "\t%s)\n\t\t_arguments -s -S : \\\n", c->name);
	zsh_options(out, c);
	fputs("\t\t'*: :", out);
	if (is_choice(c->operands)) {
		fputc('(', out);
		put_choices(out, c->operands);
		fputc(')', out);
	} else {
		fputs("_files", out);
	}
	fputs("'\n\t\t;;\n", out);
}

static void zsh_name(FILE *out, const struct cli_command *c)
{
	if (!c->name)
		return;
	fprintf(out, "\t\t'%s:", c->name);
	put_escaped(out, c->summary, ":\\", "'\\''");
	fputs("'\n", out);
}

static void write_zsh(FILE *out, const struct cli_command *program)
{
	fputs("#compdef pycov-trace\n# Written by `pycov-trace completion zsh`.\n\n"
	      "_pycov_trace_first()\n{\n\tlocal -a names=(\n",
	      out);
	for_commands(out, program, zsh_name);
	fputs("\t)\n"
	      "\t(( CURRENT > 2 )) || _describe -t commands command names\n"
	      "\t_command_names -e\n"
	      "}\n\n"
	      "_pycov_trace()\n{\n"
	      "\tlocal command=\n\n"
	      "\tif (( CURRENT > 2 )); then\n"
	      "\t\tcommand=$words[2]\n"
	      "\tfi\n"
	      "\tcase $command in\n\t",
	      out);
	for (size_t i = 0; program->commands && program->commands[i]; i++)
		if (is_shown(program->commands[i]))
			fprintf(out, "%s%s", i ? "|" : "", program->commands[i]->name);
	fputs(")\n\t\tshift words\n\t\t(( CURRENT-- ))\n\t\t;;\n\tesac\n\tcase $command in\n", out);
	for_commands(out, program, zsh_command);
	fputs("\t*)\n\t\t_arguments -s -S -A '-*' : \\\n", out);
	zsh_options(out, program);
	fputs("\t\t'(-)1: :_pycov_trace_first' \\\n\t\t'*:: :_normal'\n\t\t;;\n\tesac\n}\n\n"
	      "if [[ $funcstack[1] == _pycov-trace ]]; then\n" /* autoloaded from fpath */
	      "\t_pycov_trace \"$@\"\n"
	      "else\n"
	      "\tcompdef _pycov_trace pycov-trace\n"
	      "fi\n",
	      out);
}

/* ------------------------------------------------------------------------------------------------------------ fish */

static void fish_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	put_escaped(out, text, "\\", "\\'");
	fputc('\'', out);
}

static void fish_option(FILE *out, const struct cli_command *c, const struct cli_option *o)
{
	fprintf(out, "complete -c pycov-trace -n '__pycov_trace_is %s' -l %s", c->name ? c->name : "options", o->name);
	if (o->id < 256)
		fprintf(out, " -s %c", o->id);
	if (o->is_file)
		fputs(" -r -F", out);
	else if (o->argument)
		fputs(" -x", out);
	if (!o->is_file && is_choice(o->argument)) {
		fputs(" -a '", out);
		put_choices(out, o->argument);
		fputc('\'', out);
	}
	fputs(" -d ", out);
	fish_quoted(out, o->help);
	fputc('\n', out);
}

static void fish_options(FILE *out, const struct cli_command *c)
{
	const struct cli_option *o;

	fputc('\n', out);
	if (c->name) {
		fprintf(out, "complete -c pycov-trace -n '__pycov_trace_is first' -a %s -d ", c->name);
		fish_quoted(out, c->summary);
		fprintf(out, "\ncomplete -c pycov-trace -n '__pycov_trace_is %s' ", c->name);
		if (is_choice(c->operands)) {
			fputs("-a '", out);
			put_choices(out, c->operands);
			fputs("'\n", out);
		} else {
			fputs("-F\n", out);
		}
	}
	for (size_t i = 0; (o = cli_option_at(c, i)); i++)
		fish_option(out, c, o);
}

/* The options of the program that take a value: the word behind one is no command. */
static void fish_with_value(FILE *out, const struct cli_command *program)
{
	const struct cli_option *o;

	for (size_t i = 0; (o = cli_option_at(program, i)); i++) {
		if (!o->argument)
			continue;
		fprintf(out, " --%s", o->name);
		if (o->id < 256)
			fprintf(out, " -%c", o->id);
	}
}

static const char fish_code[] =
	"# The words of the program that is to be run, as they are typed, each on a line; nothing while there are only options.\n"
	"function __pycov_trace_program\n"
	"\tset -l words (string escape -- (commandline -opc)) (commandline -ct)\n"
	"\tset -l i 2\n"
	"\twhile test $i -le (count $words)\n"
	"\t\tif test \"$words[$i]\" = --\n"
	"\t\t\tset i (math $i + 1)\n"
	"\t\t\tbreak\n"
	"\t\telse if contains -- \"$words[$i]\" $__pycov_trace_with_value\n"
	"\t\t\tset i (math $i + 1)\n"
	"\t\telse if not string match -q -- '-*' \"$words[$i]\"\n"
	"\t\t\tbreak\n"
	"\t\tend\n"
	"\t\tset i (math $i + 1)\n"
	"\tend\n"
	"\ttest $i -le (count $words); and printf '%s\\n' $words[$i..-1]\n"
	"end\n"
	"\n"
	"# first: at the first word of all; options: where the program's options may stand; program: at or behind a program;\n"
	"# else a command, behind its name.\n"
	"function __pycov_trace_is\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l command ''\n"
	"\tif test (count $words) -gt 1; and contains -- $words[2] $__pycov_trace_commands\n"
	"\t\tset command $words[2]\n"
	"\tend\n"
	"\tswitch $argv[1]\n"
	"\t\tcase first\n"
	"\t\t\ttest (count $words) -eq 1\n"
	"\t\tcase program\n"
	"\t\t\ttest -z \"$command\"; and test (count (__pycov_trace_program)) -gt 0\n"
	"\t\tcase options\n"
	"\t\t\ttest -z \"$command\"; and test (count (__pycov_trace_program)) -le 1; and not contains -- -- $words\n"
	"\t\tcase '*'\n"
	"\t\t\ttest \"$command\" = $argv[1]\n"
	"\tend\n"
	"end\n"
	"\n"
	"function __pycov_trace_complete_program\n"
	"\tcomplete -C (string join ' ' -- (__pycov_trace_program))\n"
	"end\n"
	"\n"
	"complete -c pycov-trace -f\n"
	"complete -c pycov-trace -n '__pycov_trace_is program' -a '(__pycov_trace_complete_program)'\n";

static void write_fish(FILE *out, const struct cli_command *program)
{
	fputs("# fish completion for pycov-trace; written by `pycov-trace completion fish`.\n\n"
	      "set -g __pycov_trace_commands ",
	      out);
	put_names(out, program);
	fputs("\nset -g __pycov_trace_with_value", out);
	fish_with_value(out, program);
	fputs("\n\n", out);
	fputs(fish_code, out);
	for_commands(out, program, fish_options);
}

/* ---------------------------------------------------------------------------------------------------------- shells */

static const struct {
	const char *name;
	completion_fn write;
} shells[] = {
	{"bash", write_bash},
	{"zsh", write_zsh},
	{"fish", write_fish},
};

completion_fn completion_find(const char *shell)
{
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (!strcmp(shell, shells[i].name))
			return shells[i].write;
	return NULL;
}
