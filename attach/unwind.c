#include "attach/unwind.h"

#include <elf.h>
#include <errno.h>
#include <libunwind-x86_64.h>
#include <string.h>

#include "attach/procfs.h"
#include "attach/remote.h"
#include "attach/tracee.h"
#include "base/bisect.h"
#include "base/clock.h"

#define PAGE 4096u
#define PAGES 512	      /* that are kept; a power of two */
#define STACK_MAX (64 * 1024) /* of the stack, read in one call */
#define MAPS_MAX 65536
#define HEADERS_MAX 64	 /* of a program */
#define SAME_STEP 32	 /* bytes that are compared at once */
#define MEMORIES 16	 /* a power of two */
#define WORDS_MAX 200000 /* to look at in one walk */
#define READS_MAX 4000	 /* of pages, for them */
#define STATES 4096	 /* places in the code that libunwind remembers */
#define LOOK_AGAIN_NS INT64_C(1000000000)
#define LOOK_SOON_NS INT64_C(20000000) /* after what was not there */

/* Exported by libunwind for who finds the tables himself; in none of its headers. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di, unw_proc_info_t *pi,
				       int need_unwind_info, void *arg);

struct map {
	uint64_t start, end, offset, ino;
	dev_t dev;
	bool executable, fixed; /* fixed: what is in it does not change */
	bool is_known;		/* whether there is a table has been asked */
	uint64_t table, n;	/* n: of its entries; 0: there is none */
	uint64_t base;		/* what they are relative to */
};

struct page {
	uint64_t addr, walk; /* walk: the last one it holds for; UINT64_MAX: all */
	uint8_t bytes[PAGE];
};

/* The registers that a function has to leave as they were. */
static const unw_regnum_t kept_registers[] = {UNW_X86_64_RBX, UNW_X86_64_RBP, UNW_X86_64_R12,
					      UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15};
#define KEPT ARRAY_SIZE(kept_registers)

struct place {
	unw_word_t ip, sp, kept[KEPT];
};

struct stack_bytes {
	uint64_t addr;
	size_t len;
	uint8_t *bytes; /* STACK_MAX */
};

/*
 * The last walk of a thread. Where the next one comes to the same place, and the stack from there on has the same bytes,
 * the rest of it is the same.
 */
struct memory {
	pid_t tid; /* 0: none */
	uint64_t generation;
	struct stack_bytes stack;
	struct place places[UNWIND_DEPTH_MAX];
	struct unwind_frame frames[UNWIND_DEPTH_MAX];
	size_t n;
	bool is_whole;
};

struct unwinder {
	pid_t pid;
	struct remote remote;
	unw_addr_space_t space;
	struct user_regs_struct regs;
	struct map *maps;
	size_t n_maps, room, hint;
	int64_t looked_ns;
	bool is_missing; /* something was, since then */
	uint64_t generation, walk;
	unsigned int words, reads; /* left */
	bool has_no_table;	   /* said so since the last step */
	struct page pages[PAGES];
	struct stack_bytes stack;
	struct memory *memories[MEMORIES]; /* by tid */
	uint8_t buffer[STACK_MAX];
};

/* ---- what is mapped */

static int add_map(const struct procfs_map *from, void *arg)
{
	struct unwinder *u = arg;

	if (u->n_maps == MAPS_MAX)
		return 1;
	if (u->n_maps == u->room) {
		size_t room = u->room ? 2 * u->room : 128;
		struct map *maps = realloc(u->maps, room * sizeof(*maps));

		if (!maps)
			return -ENOMEM;
		u->maps = maps;
		u->room = room;
	}
	u->maps[u->n_maps++] = (struct map){
		.start = from->start,
		.end = from->end,
		.offset = from->offset,
		.ino = from->ino,
		.dev = from->dev,
		.executable = from->executable && from->readable,
		.fixed = !from->writable && from->readable,
	};
	return 0;
}

static bool is_same_code(const struct map *a, size_t n_a, const struct map *b, size_t n_b)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		while (i < n_a && !a[i].executable)
			i++;
		while (j < n_b && !b[j].executable)
			j++;
		if (i == n_a || j == n_b)
			return i == n_a && j == n_b;
		if (a[i].start != b[j].start || a[i].end != b[j].end || a[i].offset != b[j].offset ||
		    a[i].ino != b[j].ino || a[i].dev != b[j].dev)
			return false;
	}
}

static void forget(struct unwinder *u)
{
	u->generation++;
	unw_flush_cache(u->space, 0, 0);
	for (size_t i = 0; i < PAGES; i++)
		u->pages[i].walk = 0;
}

/* Read the list, at most once in a while. */
static int look(struct unwinder *u)
{
	int64_t now = clock_ns();
	_cleanup_free_ struct map *old = NULL;
	size_t n_old = u->n_maps;
	int r;

	if (u->looked_ns && now - u->looked_ns < (u->is_missing ? LOOK_SOON_NS : LOOK_AGAIN_NS))
		return 0;
	u->looked_ns = now;
	u->is_missing = false;
	old = take_ptr(u->maps);
	u->n_maps = u->room = u->hint = 0;
	r = procfs_each_map(u->pid, add_map, u);
	if (r >= 0 && is_same_code(old, n_old, u->maps, u->n_maps)) {
		free(u->maps);
		u->maps = take_ptr(old);
		u->n_maps = u->room = n_old;
		return 0;
	}
	forget(u);
	return r < 0 ? r : 0;
}

static struct map *find_map(struct unwinder *u, uint64_t addr)
{
	size_t at;

	if (u->hint < u->n_maps && addr >= u->maps[u->hint].start && addr < u->maps[u->hint].end)
		return &u->maps[u->hint];
	at = BISECT(i, u->n_maps, u->maps[i].end <= addr);
	if (at == u->n_maps || addr < u->maps[at].start)
		return NULL;
	u->hint = at;
	return &u->maps[at];
}

/* ---- its memory */

static int read_page(struct unwinder *u, uint64_t addr, const uint8_t **ret)
{
	struct page *page = &u->pages[addr / PAGE % PAGES];

	if (page->addr != addr || page->walk < u->walk) {
		const struct map *map = find_map(u, addr);

		page->walk = 0;
		if (u->reads == 0)
			return -UNW_ESTOPUNWIND;
		u->reads--;
		if (remote_read(&u->remote, addr, page->bytes, PAGE) < 0)
			return -UNW_EUNSPEC;
		page->addr = addr;
		page->walk = map && map->fixed ? UINT64_MAX : u->walk;
	}
	*ret = page->bytes;
	return 0;
}

static int read_bytes(struct unwinder *u, uint64_t addr, void *buf, size_t len)
{
	const uint8_t *page;

	if (addr - u->stack.addr < u->stack.len && len <= u->stack.len - (addr - u->stack.addr)) {
		memcpy(buf, u->stack.bytes + (addr - u->stack.addr), len);
		return 0;
	}
	while (len) {
		size_t at = addr % PAGE, some = PAGE - at < len ? PAGE - at : len;
		int r = read_page(u, addr - at, &page);

		if (r < 0)
			return r;
		memcpy(buf, page + at, some);
		buf = (uint8_t *)buf + some;
		addr += some;
		len -= some;
	}
	return 0;
}

static void read_stack(struct unwinder *u, uint64_t sp)
{
	const struct map *map = find_map(u, sp);
	uint64_t end = map ? map->end : (sp + PAGE) & ~(uint64_t)(PAGE - 1);
	size_t len = end - sp < STACK_MAX ? end - sp : STACK_MAX;

	u->stack.addr = sp;
	u->stack.len = remote_read(&u->remote, sp, u->stack.bytes, len) == 0 ? len : 0;
}

/* ---- tables */

/* The size of a pointer in the encodings that linkers use here; 0: another one. */
static size_t pointer_size(uint8_t encoding)
{
	switch (encoding & 0xf) {
	case 0x3: /* DW_EH_PE_udata4 */
	case 0xb: /* DW_EH_PE_sdata4 */
		return 4;
	case 0x0: /* DW_EH_PE_absptr */
	case 0x4: /* DW_EH_PE_udata8 */
	case 0xc: /* DW_EH_PE_sdata8 */
		return 8;
	}
	return 0;
}

/* .eh_frame_hdr, as the Linux Standard Base has it: version, encodings, .eh_frame, how many, a sorted table. */
static void read_table(struct unwinder *u, struct map *map, uint64_t header)
{
	uint8_t head[4];
	uint32_t n;
	size_t size;

	if (read_bytes(u, header, head, sizeof(head)) < 0 || head[0] != 1)
		return;
	size = pointer_size(head[1]);
	/* DW_EH_PE_udata4; DW_EH_PE_datarel | DW_EH_PE_sdata4 */
	if (!size || head[2] != 0x03 || head[3] != 0x3b)
		return;
	if (read_bytes(u, header + sizeof(head) + size, &n, sizeof(n)) < 0)
		return;
	map->base = header;
	map->table = header + sizeof(head) + size + sizeof(n);
	map->n = n;
}

/* @start: where its file begins in memory. */
static void read_headers(struct unwinder *u, struct map *map, uint64_t start)
{
	uint64_t first = UINT64_MAX, table = UINT64_MAX;
	Elf64_Phdr phdr;
	Elf64_Ehdr ehdr;

	if (read_bytes(u, start, &ehdr, sizeof(ehdr)) < 0 || memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_phentsize != sizeof(phdr))
		return;
	for (unsigned int i = 0; i < ehdr.e_phnum && i < HEADERS_MAX; i++) {
		if (read_bytes(u, start + ehdr.e_phoff + i * sizeof(phdr), &phdr, sizeof(phdr)) < 0)
			return;
		if (phdr.p_type == PT_LOAD && first == UINT64_MAX)
			first = phdr.p_vaddr - phdr.p_offset;
		if (phdr.p_type == PT_GNU_EH_FRAME)
			table = phdr.p_vaddr;
	}
	if (first != UINT64_MAX && table != UINT64_MAX)
		read_table(u, map, start - first + table);
}

static void find_table(struct unwinder *u, struct map *map)
{
	struct map *at = map;

	map->is_known = true;
	if (map->ino)
		while (at > u->maps && at->offset && at[-1].ino == map->ino && at[-1].dev == map->dev)
			at--;
	if (at->offset == 0 || !map->ino) /* the kernel's own has no file */
		read_headers(u, map, at->start);
}

/* ---- what libunwind asks for */

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need_unwind_info, void *arg)
{
	struct unwinder *u = arg;
	struct map *map = find_map(u, ip);
	unw_dyn_info_t di = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	int r = -UNW_ENOINFO;

	if (map && map->executable && !map->is_known)
		find_table(u, map);
	if (map && map->n) {
		di.start_ip = map->start;
		di.end_ip = map->end;
		di.u.rti.segbase = map->base;
		di.u.rti.table_data = map->table;
		di.u.rti.table_len = map->n; /* words: an entry is two halves */
		r = UNW_OBJ(dwarf_search_unwind_table)(as, ip, &di, pi, need_unwind_info, arg);
	}
	if (r < 0)
		u->has_no_table = true;
	return r;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
	(void)as, (void)pi, (void)arg;
}

/* The target's list of what it made at run time: of its own choice, and no interpreter has one. */
static int get_dyn_info_list_addr(unw_addr_space_t as, unw_word_t *ret, void *arg)
{
	(void)as, (void)ret, (void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value, int write, void *arg)
{
	struct unwinder *u = arg;

	(void)as;
	if (write)
		return -UNW_EINVAL;
	if (u->words == 0)
		return -UNW_ESTOPUNWIND;
	u->words--;
	return read_bytes(u, addr, value, sizeof(*value));
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write, void *arg)
{
	const struct user_regs_struct *r = &((const struct unwinder *)arg)->regs;
	/* In the order of the System V ABI's table of DWARF register numbers. */
	const uint64_t values[] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
				   r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip};

	(void)as;
	if (write || reg < 0 || (size_t)reg >= ARRAY_SIZE(values))
		return -UNW_EBADREG;
	*value = values[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write, void *arg)
{
	(void)as, (void)reg, (void)value, (void)write, (void)arg;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	(void)as, (void)cursor, (void)arg;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t as, unw_word_t ip, char *buf, size_t size, unw_word_t *offset, void *arg)
{
	(void)as, (void)ip, (void)buf, (void)size, (void)offset, (void)arg;
	return -UNW_ENOINFO;
}

/* ---- a walk */

void unwinder_free(struct unwinder *u)
{
	if (!u)
		return;
	if (u->space)
		unw_destroy_addr_space(u->space);
	for (size_t i = 0; i < MEMORIES; i++)
		free(u->memories[i]);
	free(u->maps);
	free(u);
}

int unwinder_new(pid_t pid, struct unwinder **ret)
{
	unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = get_dyn_info_list_addr,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};
	struct unwinder *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->pid = pid;
	u->stack.bytes = u->buffer;
	u->remote = (struct remote){.tid = pid, .mem_fd = -1};
	u->space = unw_create_addr_space(&accessors, 0);
	if (!u->space) {
		unwinder_free(u);
		return -ENOMEM;
	}
	unw_set_caching_policy(u->space, UNW_CACHE_GLOBAL);
	unw_set_cache_size(u->space, STATES, 0);
	*ret = u;
	return 0;
}

uint64_t unwinder_generation(const struct unwinder *u)
{
	return u->generation;
}

static struct memory *find_memory(struct unwinder *u, pid_t tid)
{
	struct memory **memory = &u->memories[(size_t)tid % MEMORIES];

	if (!*memory) {
		*memory = calloc(1, sizeof(**memory) + STACK_MAX);
		if (!*memory)
			return NULL;
		(*memory)->stack.bytes = (uint8_t *)(*memory + 1);
	}
	if ((*memory)->tid != tid || (*memory)->generation != u->generation)
		(*memory)->n = 0;
	return *memory;
}

/* From which address on both have the same bytes, up to the same end. */
static uint64_t same_from(const struct stack_bytes *a, const struct stack_bytes *b)
{
	size_t len = a->len < b->len ? a->len : b->len, same = 0;

	if (a->addr + a->len != b->addr + b->len)
		return UINT64_MAX;
	while (same + SAME_STEP <= len &&
	       memcmp(a->bytes + a->len - same - SAME_STEP, b->bytes + b->len - same - SAME_STEP, SAME_STEP) == 0)
		same += SAME_STEP;
	return a->addr + a->len - same;
}

/* Which place of the last walk @place is; @memory->n: none. */
static size_t recall(const struct memory *memory, const struct place *place)
{
	size_t i = 0;

	while (i < memory->n && memcmp(&memory->places[i], place, sizeof(*place)) != 0)
		i++;
	return i;
}

struct walk {
	struct unwinder *u;
	unw_cursor_t cursor;
	struct place places[UNWIND_DEPTH_MAX];
	struct unwind_frame *frames;
	size_t n;
	bool is_whole;
};

static void get_place(unw_cursor_t *cursor, struct place *place)
{
	memset(place, 0, sizeof(*place));
	unw_get_reg(cursor, UNW_REG_IP, &place->ip);
	unw_get_reg(cursor, UNW_REG_SP, &place->sp);
	for (size_t i = 0; i < KEPT; i++)
		unw_get_reg(cursor, kept_registers[i], &place->kept[i]);
}

/* Where the cursor is; false: nowhere that code is. */
static bool add_frame(struct walk *w, bool is_call)
{
	struct place *place = &w->places[w->n];
	const struct map *map;

	get_place(&w->cursor, place);
	w->frames[w->n] = (struct unwind_frame){place->ip - is_call, place->sp};
	map = find_map(w->u, place->ip - is_call);
	if (!map)
		w->u->is_missing = true;
	if (!map || !map->executable)
		return false;
	w->n++;
	return true;
}

/* What the last walk found from its place @from on. */
static void add_recalled(struct walk *w, const struct memory *memory, size_t from)
{
	for (; from < memory->n && w->n < UNWIND_DEPTH_MAX; from++, w->n++) {
		w->places[w->n] = memory->places[from];
		w->frames[w->n] = memory->frames[from];
	}
	w->is_whole = memory->is_whole;
}

/* Go on from the innermost frame. */
static void go_out(struct walk *w, const struct memory *memory)
{
	uint64_t same = memory && memory->n ? same_from(&w->u->stack, &memory->stack) : UINT64_MAX;

	while (w->n < UNWIND_DEPTH_MAX) {
		bool is_call = unw_is_signal_frame(&w->cursor) <= 0;
		int r;

		w->u->has_no_table = false;
		r = unw_step(&w->cursor);
		if (r <= 0 || w->u->has_no_table) {
			w->is_whole = r == 0 && !w->u->has_no_table;
			return;
		}
		if (!add_frame(w, is_call))
			return;
		if (w->places[w->n - 1].sp >= same) {
			size_t at = recall(memory, &w->places[w->n - 1]);

			if (at < memory->n)
				return add_recalled(w, memory, at + 1);
		}
	}
}

static void keep(struct memory *memory, const struct walk *w, pid_t tid)
{
	memory->tid = tid;
	memory->generation = w->u->generation;
	memory->n = w->n;
	memory->is_whole = w->is_whole;
	memcpy(memory->places, w->places, w->n * sizeof(*w->places));
	memcpy(memory->frames, w->frames, w->n * sizeof(*w->frames));
	memory->stack.addr = w->u->stack.addr;
	memory->stack.len = w->u->stack.len;
	memcpy(memory->stack.bytes, w->u->stack.bytes, w->u->stack.len);
}

int unwinder_walk(struct unwinder *u, pid_t tid, struct unwind_frame frames[UNWIND_DEPTH_MAX], size_t *n,
		  bool *is_whole)
{
	struct walk w;
	struct memory *memory;
	int r;

	if (tracee_get_regs(tid, &u->regs) < 0)
		return -ESRCH;
	r = look(u);
	if (r < 0)
		return r;
	u->walk++;
	u->words = WORDS_MAX;
	u->reads = READS_MAX;
	u->remote.tid = tid;
	read_stack(u, u->regs.rsp);
	memory = find_memory(u, tid);
	w.u = u;
	w.frames = frames;
	w.n = 1;
	w.is_whole = false;
	frames[0] = (struct unwind_frame){u->regs.rip, u->regs.rsp};
	memset(&w.places[0], 0, sizeof(w.places[0]));
	if (unw_init_remote(&w.cursor, u->space, u) == 0) {
		get_place(&w.cursor, &w.places[0]);
		go_out(&w, memory);
	}
	if (memory)
		keep(memory, &w, tid);
	*n = w.n;
	*is_whole = w.is_whole;
	return 0;
}
