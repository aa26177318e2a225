#include "attach/native.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bisect.h"
#include "base/hashmap.h"

#define SYMBOLS_MAX 200000
#define MODULE_SYMBOLS_MAX 4000000
#define NESTED_MAX 16 /* symbols within a function that are looked past */

struct function {
	uint64_t addr, size;
	const char *name; /* elfutils' */
	int rank;	  /* of several at one place the highest is shown */
};

/** A program or library. */
struct module {
	Dwfl_Module *module;
	struct function *functions; /* n, by address */
	size_t n;
};

struct native {
	pid_t pid;
	Dwfl *dwfl;
	char *debug_path;
	Dwfl_Callbacks callbacks;
	uint64_t generation; /* of what is mapped, when it was read */
	struct unwinder *unwinder;
	struct module *modules;
	size_t n_modules;
	struct hashmap symbols;
	struct hash_key key;
};

/* Names are those of the target's root, which may not be ours. */
static int find_elf(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base, char **path, Elf **elf)
{
	char below_root[PATH_MAX + 64];
	int fd = dwfl_linux_proc_find_elf(module, data, name, base, path, elf);
	pid_t *pid = *data;

	if (fd >= 0 || *elf || name[0] != '/' || !pid)
		return fd;
	snprintf(below_root, sizeof(below_root), "/proc/%d/root%s", *pid, name);
	fd = open(below_root, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		*path = strdup(below_root);
	return fd;
}

static int set_data(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr start, void *arg)
{
	(void)module, (void)name, (void)start;
	*data = arg;
	return DWARF_CB_OK;
}

/* Read the list of what is mapped. */
static void report(struct native *n)
{
	dwfl_report_begin(n->dwfl);
	(void)!dwfl_linux_proc_report(n->dwfl, n->pid);
	dwfl_report_end(n->dwfl, NULL, NULL);
	dwfl_getmodules(n->dwfl, set_data, &n->pid, 0);
}

static void forget_symbols(struct native *n)
{
	for (size_t i = 0; i < n->symbols.n_slots; i++) {
		struct native_symbol *symbol = n->symbols.slots[i].entry;

		if (symbol) {
			free(symbol->function);
			free(symbol->file);
			free(symbol);
		}
	}
	hashmap_deinit(&n->symbols);
	n->symbols = (struct hashmap){0};
}

static void forget_modules(struct native *n)
{
	for (size_t i = 0; i < n->n_modules; i++)
		free(n->modules[i].functions);
	free(n->modules);
	n->modules = NULL;
	n->n_modules = 0;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	forget_symbols(n);
	forget_modules(n);
	if (n->dwfl)
		dwfl_end(n->dwfl);
	unwinder_free(n->unwinder);
	free(n->debug_path);
	free(n);
}

int native_new(pid_t pid, struct native **ret)
{
	struct native *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->pid = pid;
	hash_key_init(&n->key);
	if (asprintf(&n->debug_path, ":.debug:/usr/lib/debug:/proc/%d/root/usr/lib/debug", pid) < 0)
		n->debug_path = NULL;
	n->callbacks = (Dwfl_Callbacks){
		.find_elf = find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.debuginfo_path = &n->debug_path,
	};
	n->dwfl = dwfl_begin(&n->callbacks);
	if (!n->dwfl || unwinder_new(pid, &n->unwinder) < 0) {
		native_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

int native_unwind(struct native *n, pid_t tid, struct unwind_frame frames[UNWIND_DEPTH_MAX], size_t *count,
		  bool *is_whole)
{
	int r = unwinder_walk(n->unwinder, tid, frames, count, is_whole);

	if (n->symbols.count > SYMBOLS_MAX)
		forget_symbols(n);
	if (r == 0 && n->generation != unwinder_generation(n->unwinder)) {
		n->generation = unwinder_generation(n->unwinder);
		forget_symbols(n);
		forget_modules(n);
		report(n);
	}
	return r;
}

static bool same_ip(const void *entry, const void *key)
{
	return ((const struct native_symbol *)entry)->ip == *(const uint64_t *)key;
}

static int rank(const GElf_Sym *sym, const char *name)
{
	int binding = GELF_ST_BIND(sym->st_info);

	if (!strncmp(name, "__GI_", 5)) /* glibc's own names for what others call otherwise */
		return 0;
	return binding == STB_GLOBAL ? 3 : binding == STB_WEAK ? 2 : 1;
}

static int compare(const void *a, const void *b)
{
	const struct function *f = a, *g = b;

	if (f->addr != g->addr)
		return f->addr < g->addr ? -1 : 1;
	if (!f->size != !g->size)
		return f->size ? 1 : -1;
	return f->rank - g->rank;
}

static bool is_function(const GElf_Sym *sym, GElf_Word section)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return section != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

/* Looking for one symbol takes elfutils as long as reading all: each module's are read once, and sorted. */
static void read_functions(struct module *m)
{
	int count = dwfl_module_getsymtab(m->module);

	if (count <= 0 || count > MODULE_SYMBOLS_MAX)
		return;
	m->functions = calloc((size_t)count, sizeof(*m->functions));
	for (int i = 1; i < count && m->functions; i++) {
		struct function *f = &m->functions[m->n];
		GElf_Word section = SHN_UNDEF;
		GElf_Sym sym;

		f->name = dwfl_module_getsym_info(m->module, i, &sym, &f->addr, &section, NULL, NULL);
		if (!f->name || !f->name[0] || !is_function(&sym, section))
			continue;
		f->size = sym.st_size;
		f->rank = rank(&sym, f->name);
		m->n++;
	}
	if (m->n)
		qsort(m->functions, m->n, sizeof(*m->functions), compare);
}

static struct module *find_module(struct native *n, Dwfl_Module *module)
{
	struct module *modules;

	for (size_t i = 0; i < n->n_modules; i++)
		if (n->modules[i].module == module)
			return &n->modules[i];
	modules = realloc(n->modules, (n->n_modules + 1) * sizeof(*modules));
	if (!modules)
		return NULL;
	n->modules = modules;
	modules[n->n_modules] = (struct module){.module = module};
	read_functions(&modules[n->n_modules]);
	return &modules[n->n_modules++];
}

/* The one that @ip is in. One without a size goes on to where the next symbol is. */
static const struct function *find_function(const struct module *m, uint64_t ip)
{
	size_t at = BISECT(i, m->n, m->functions[i].addr <= ip);

	for (size_t i = at; i > 0 && at - i < NESTED_MAX; i--) {
		const struct function *f = &m->functions[i - 1];

		if (ip - f->addr < f->size)
			return f;
	}
	return at && !m->functions[at - 1].size ? &m->functions[at - 1] : NULL;
}

static void look_up(struct native *n, struct native_symbol *symbol)
{
	Dwfl_Module *dwfl_module = dwfl_addrmodule(n->dwfl, symbol->ip);
	struct module *module = dwfl_module ? find_module(n, dwfl_module) : NULL;
	const struct function *function = module ? find_function(module, symbol->ip) : NULL;
	const char *name = module ? dwfl_module_info(dwfl_module, NULL, NULL, NULL, NULL, NULL, NULL, NULL) : NULL;

	symbol->file = name ? strdup(name) : NULL;
	symbol->function = function ? strndup(function->name, strcspn(function->name, "@")) : NULL; /* no version */
	symbol->size = function ? function->size : 0;
}

struct native_symbol *native_symbol_find(struct native *n, uint64_t ip)
{
	uint64_t hash = hash_bytes(&n->key, &ip, sizeof(ip));
	struct native_symbol *symbol = hashmap_find(&n->symbols, hash, same_ip, &ip);

	if (symbol)
		return symbol;
	symbol = calloc(1, sizeof(*symbol));
	if (!symbol)
		return NULL;
	symbol->ip = ip;
	look_up(n, symbol);
	if (hashmap_add(&n->symbols, hash, symbol) < 0) {
		free(symbol->function);
		free(symbol->file);
		free(symbol);
		return NULL;
	}
	return symbol;
}
