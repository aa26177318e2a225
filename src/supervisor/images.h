/**
 * Files that are mapped in processes, as far as Python is concerned; each is looked at once, however many processes
 * map it. Recognised by device, inode, size and times, so a replaced file is a new one.
 */
#pragma once

#include "attach/agent/agent_abi.h"
#include "attach/procfs.h"
#include "base/hashmap.h"
#include "symbols/cpython.h"
#include "symbols/elf_image.h"

struct image {
	dev_t dev;
	ino_t ino;
	int64_t size, mtime, ctime; /* nanoseconds */
	enum cpython_presence presence;
	struct elf_image *elf; /* only of what is or may become Python */
	/* If presence is CPYTHON_DEFINED: */
	int error;	    /* of cpython_load() and of what we need beyond; 0: can be measured */
	const char *reason; /* static; why not */
	struct cpython py;
	uint64_t api[API_COUNT];  /* vaddrs, 0 for absent */
	struct agent_traps traps; /* vaddrs instead of addresses */
	uint64_t unknown_opcode;  /* vaddr of the interpreter loop's unknown-opcode label (3.8 - 3.10) */
};

struct images {
	struct hashmap map;
	struct hash_key key;
	struct procfs_status ours; /* what /proc says of ourselves */
};

void images_init(struct images *images);
void images_deinit(struct images *images);

/** The image in the file open at @p fd; lives as long as @p images. -ENOEXEC: not ELF. */
int images_get(struct images *images, int fd, const struct image **ret) must_check;

/**
 * Look now at what @p image, the program of @p pid, is going to have mapped as its runtime, so that it need not wait for
 * that when it has. A guess: it is known afterwards, or it is not.
 */
void images_foresee(struct images *images, const struct image *image, pid_t pid);
