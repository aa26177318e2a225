#include "attach/native.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"

#define SYMBOLS_MAX 200000

struct native {
	pid_t pid;
	Dwfl *dwfl;
	char *debug_path;
	Dwfl_Callbacks callbacks;
	uint64_t generation; /* of what is mapped, when it was read */
	struct unwinder *unwinder;
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

void native_free(struct native *n)
{
	if (!n)
		return;
	forget_symbols(n);
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

int native_unwind(struct native *n, pid_t tid, struct unwind_frame frames[UNWIND_DEPTH_MAX], size_t *count, bool *is_whole)
{
	int r = unwinder_walk(n->unwinder, tid, frames, count, is_whole);

	if (n->symbols.count > SYMBOLS_MAX)
		forget_symbols(n);
	if (r == 0 && n->generation != unwinder_generation(n->unwinder)) {
		n->generation = unwinder_generation(n->unwinder);
		forget_symbols(n);
		report(n);
	}
	return r;
}

static bool same_ip(const void *entry, const void *key)
{
	return ((const struct native_symbol *)entry)->ip == *(const uint64_t *)key;
}

static void look_up(struct native *n, struct native_symbol *symbol)
{
	Dwfl_Module *module = dwfl_addrmodule(n->dwfl, symbol->ip);
	const char *name, *function;
	GElf_Off offset;
	GElf_Sym sym = {0};

	if (!module)
		return;
	name = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	function = dwfl_module_addrinfo(module, symbol->ip, &offset, &sym, NULL, NULL, NULL);
	symbol->file = name ? strdup(name) : NULL;
	symbol->size = sym.st_size;
	symbol->function = function ? strdup(function) : NULL;
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
