/* Where debug information lies: gdb's manual, "Debugging Information in Separate Files". */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>

#include "symbols/layout_dwarf.h"

#define DEBUG_DIR "/usr/lib/debug"
#define BUILD_ID_MAX 64

static void elf_endp(Elf **elf)
{
	elf_end(*elf);
}

static Elf_Scn *find_section(Elf *elf, const char *name, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) < 0)
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		const char *s;

		if (!gelf_getshdr(section, header))
			continue;
		s = elf_strptr(elf, names, header->sh_name);
		if (s && !strcmp(s, name))
			return section;
	}
	return NULL;
}

static bool has_debug_info(Elf *elf)
{
	GElf_Shdr header;

	return (find_section(elf, ".debug_info", &header) || find_section(elf, ".zdebug_info", &header)) &&
	       header.sh_type != SHT_NOBITS;
}

/** The build id in hexadecimal; false without one. */
static bool build_id(Elf *elf, char hex[2 * BUILD_ID_MAX + 1])
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, ".note.gnu.build-id", &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	size_t name_at, id_at;
	GElf_Nhdr note;

	if (!data || !gelf_getnote(data, 0, &note, &name_at, &id_at) || note.n_type != NT_GNU_BUILD_ID ||
	    note.n_descsz < 2 || note.n_descsz > BUILD_ID_MAX || id_at + note.n_descsz > data->d_size)
		return false;
	for (size_t i = 0; i < note.n_descsz; i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)data->d_buf)[id_at + i]);
	return true;
}

static bool debug_link(Elf *elf, char *name, size_t size)
{
	GElf_Shdr header;
	Elf_Scn *section = find_section(elf, ".gnu_debuglink", &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

	if (!data || !data->d_buf || !memchr(data->d_buf, 0, data->d_size) || strchr(data->d_buf, '/'))
		return false;
	return snprintf(name, size, "%s", (const char *)data->d_buf) < (int)size;
}

/** True if the file has debug information, and, if @p id is not NULL, that build id. */
static bool fits(int fd, const char *id)
{
	_cleanup_(elf_endp) Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	char own[2 * BUILD_ID_MAX + 1];

	return elf && has_debug_info(elf) && (!id || !build_id(elf, own) || !strcmp(id, own));
}

static int try(const char *id, char *found)
{
	int fd = open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -ENOENT;
	if (fits(fd, id))
		return fd;
	close(fd);
	return -ENOENT;
}

static int try_by_id(const char *root, const char *id, char *found)
{
	snprintf(found, DEBUG_FILE_PATH_SIZE, "%s" DEBUG_DIR "/.build-id/%.2s/%s.debug", root, id, id + 2);
	return try(id, found);
}

static int try_by_link(const char *root, const char *path, const char *link, const char *id, char *found)
{
	static const char *const forms[] = {"%s%.*s/%s", "%s%.*s/.debug/%s", "%s" DEBUG_DIR "%.*s/%s"};
	const char *slash = strrchr(path, '/');
	int r = -ENOENT;

	for (size_t i = 0; slash && i < ARRAY_SIZE(forms) && r < 0; i++) {
		snprintf(found, DEBUG_FILE_PATH_SIZE, forms[i], root, (int)(slash - path), path, link);
		r = try(id, found);
	}
	return r;
}

int debug_file_open(int fd, const char *root, const char *path, char found[DEBUG_FILE_PATH_SIZE])
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	char id[2 * BUILD_ID_MAX + 1], link[256];
	bool has_id;
	int r = -ENOENT;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf)
		return -ENOENT;
	if (has_debug_info(elf)) {
		snprintf(found, DEBUG_FILE_PATH_SIZE, "%s", path);
		r = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return r < 0 ? -errno : r;
	}
	has_id = build_id(elf, id);
	if (has_id)
		r = try_by_id(root, id, found);
	if (r < 0 && has_id && *root)
		r = try_by_id("", id, found);
	if (r < 0 && debug_link(elf, link, sizeof(link)))
		r = try_by_link(root, path, link, has_id ? id : NULL, found);
	return r;
}
