#include "attach/cave.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define PHDRS_MAX 64
#define PAGE 4096u

struct image {
	raddr bias;
	Elf64_Phdr ph[PHDRS_MAX];
	int n;
};

static int image_read(const struct remote *r, raddr base, struct image *image)
{
	Elf64_Ehdr eh;

	if (!base || remote_read(r, base, &eh, sizeof(eh)) < 0 || memcmp(eh.e_ident, ELFMAG, SELFMAG))
		return -ENOENT;
	image->n = eh.e_phnum < PHDRS_MAX ? eh.e_phnum : PHDRS_MAX;
	if (eh.e_phentsize != sizeof(image->ph[0]) ||
	    remote_read(r, base + eh.e_phoff, image->ph, (size_t)image->n * sizeof(image->ph[0])) < 0)
		return -ENOENT;
	image->bias = base;
	for (int i = 0; i < image->n; i++)
		if (image->ph[i].p_type == PT_LOAD && image->ph[i].p_offset == 0)
			image->bias = base - (image->ph[i].p_vaddr & ~(uint64_t)(PAGE - 1));
	return 0;
}

static int cave_in_segment(const Elf64_Phdr *ph, raddr bias, size_t need, raddr *ret)
{
	raddr end = bias + ph->p_vaddr + ph->p_memsz, cave = (end + 15) & ~(raddr)15;

	if (!(end & (PAGE - 1)) || (cave & (PAGE - 1)) + need > PAGE || cave / PAGE != (end - 1) / PAGE)
		return -ENOENT;
	*ret = cave;
	return 0;
}

int cave_in_text(const struct remote *r, raddr base, size_t need, raddr *ret)
{
	struct image image;

	if (image_read(r, base, &image) < 0)
		return -ENOENT;
	for (int i = 0; i < image.n; i++) {
		const Elf64_Phdr *ph = &image.ph[i];

		if (ph->p_type == PT_LOAD && ph->p_flags & PF_X && ph->p_filesz == ph->p_memsz &&
		    cave_in_segment(ph, image.bias, need, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

int cave_in_data(const struct remote *r, raddr base, size_t need, raddr *ret)
{
	struct image image;

	if (image_read(r, base, &image) < 0)
		return -ENOENT;
	for (int i = 0; i < image.n; i++)
		if (image.ph[i].p_type == PT_LOAD && image.ph[i].p_flags & PF_W &&
		    cave_in_segment(&image.ph[i], image.bias, need, ret) == 0)
			return 0;
	return -ENOENT;
}
