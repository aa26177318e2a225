#include "data/dbfile.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 32u /* pages */
/* SQLite locks a byte at this offset; no page may lie there. */
#define LOCK_PAGE (0x40000000u / DBFILE_PAGE + 1)

#define FILE_HEAD 100
#define LEAF_HEAD 8
#define INNER_HEAD 12
enum page_type { INNER_INDEX = 2, INNER_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 };

#define OVERFLOW_SIZE (DBFILE_PAGE - 4)
#define LOCAL_MIN ((DBFILE_PAGE - 12) * 32 / 255 - 23)
#define LOCAL_MAX_TABLE (DBFILE_PAGE - 35)
#define LOCAL_MAX_INDEX ((DBFILE_PAGE - 12) * 64 / 255 - 23)
#define CELL_MIN 4
#define VARINT_MAX 9

static void put16(unsigned char *p, size_t value)
{
	p[0] = (unsigned char)(value >> 8);
	p[1] = (unsigned char)value;
}

static void put32(unsigned char *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

static size_t varint_size(uint64_t value)
{
	size_t n = 1;

	while (n < VARINT_MAX && value >> 7 * n)
		n++;
	return n;
}

/* Big-endian, seven bits a byte; a ninth has eight. */
static size_t put_varint(unsigned char *p, uint64_t value)
{
	size_t n = varint_size(value);

	if (n == VARINT_MAX) {
		p[8] = (unsigned char)value;
		value >>= 8;
	} else {
		p[n - 1] = value & 127;
		value >>= 7;
	}
	for (size_t i = n - 1; i-- > 0; value >>= 7)
		p[i] = (unsigned char)(value & 127) | 128;
	return n;
}

/* ----------------------------------------------------------------------------------------------------------- rows */

void dbrow_init(struct dbrow *row, int64_t number)
{
	row->number = number;
	row->n = 0;
	row->head_size = 1;
	row->size = 0;
}

static struct dbvalue *add_value(struct dbrow *row, uint64_t type, size_t size)
{
	struct dbvalue *v = &row->values[row->n];

	row->types[row->n++] = type;
	row->head_size += varint_size(type);
	row->size += size;
	v->size = size;
	v->lines = NULL;
	return v;
}

void dbrow_null(struct dbrow *row)
{
	add_value(row, 0, 0);
}

void dbrow_integer(struct dbrow *row, int64_t value)
{
	static const unsigned char sizes[] = {1, 2, 3, 4, 6, 8}; /* of types 1 to 6 */
	struct dbvalue *v;
	size_t i = 0;

	if (value == 0 || value == 1) {
		add_value(row, 8 + (uint64_t)value, 0);
		return;
	}
	while (i < 5 && (value < -(INT64_C(1) << (8 * sizes[i] - 1)) || value >= INT64_C(1) << (8 * sizes[i] - 1)))
		i++;
	v = add_value(row, i + 1, sizes[i]);
	for (size_t at = sizes[i]; at-- > 0; value >>= 8)
		v->integer[at] = (unsigned char)value;
	v->data = v->integer;
}

void dbrow_text(struct dbrow *row, const char *text)
{
	size_t n = strlen(text);

	add_value(row, 2 * n + 13, n)->data = text;
}

void dbrow_numbits(struct dbrow *row, const struct lineset *lines)
{
	size_t n = lineset_numbits_size(lines);

	add_value(row, 2 * n + 12, n)->lines = lines;
}

/* A row's bytes, from the first to the last. */
struct reader {
	const struct dbrow *row;
	unsigned int value;
	size_t at; /* in that value */
};

static void read_row(struct reader *r, unsigned char *to, size_t n)
{
	while (n) {
		const struct dbvalue *v = &r->row->values[r->value];
		size_t part = v->size - r->at < n ? v->size - r->at : n;

		if (v->lines)
			lineset_numbits_read(v->lines, r->at, to, part);
		else if (part)
			memcpy(to, (const char *)v->data + r->at, part);
		to += part;
		n -= part;
		r->at += part;
		if (n) {
			r->value++;
			r->at = 0;
		}
	}
}

/* Types are of nine bytes at most, so that all of them fit in any cell. */
static size_t put_head(const struct dbrow *row, unsigned char *to)
{
	size_t at = put_varint(to, row->head_size);

	for (unsigned int i = 0; i < row->n; i++)
		at += put_varint(to + at, row->types[i]);
	return at;
}

/* ---------------------------------------------------------------------------------------------------------- pages */

static int write_all(int fd, const unsigned char *from, size_t size, uint64_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, from, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int write_window(struct dbfile *db)
{
	size_t n = db->n_pages - db->first + 1;
	int r = write_all(db->fd, db->window, n * DBFILE_PAGE, (uint64_t)(db->first - 1) * DBFILE_PAGE);

	db->first += (uint32_t)n;
	return r;
}

/* Room for the next page, whose number is `n_pages` then. */
static int next_page(struct dbfile *db, unsigned char **ret)
{
	int r = 0;

	if (db->n_pages == UINT32_MAX - 1)
		return -EFBIG;
	if (db->n_pages - db->first + 1 == WINDOW)
		r = write_window(db);
	if (r < 0)
		return r;
	*ret = db->window + (size_t)(db->n_pages - db->first + 1) * DBFILE_PAGE;
	db->n_pages++;
	if (db->n_pages != LOCK_PAGE)
		return 0;
	memset(*ret, 0, DBFILE_PAGE);
	return next_page(db, ret);
}

static uint32_t number_of_next_page(const struct dbfile *db)
{
	return db->n_pages + 1 == LOCK_PAGE ? db->n_pages + 2 : db->n_pages + 1;
}

/* What does not fit in a cell: a chain of pages, one behind the other. */
static int add_overflow(struct dbfile *db, struct reader *reader, size_t n)
{
	while (n) {
		size_t part = n < OVERFLOW_SIZE ? n : OVERFLOW_SIZE;
		unsigned char *page;
		int r = next_page(db, &page);

		if (r < 0)
			return r;
		n -= part;
		put32(page, n ? number_of_next_page(db) : 0);
		read_row(reader, page + 4, part);
		memset(page + 4 + part, 0, OVERFLOW_SIZE - part);
	}
	return 0;
}

static void put_page_head(unsigned char *head, enum page_type type, unsigned int n, size_t from)
{
	head[0] = (unsigned char)type;
	put16(head + 1, 0); /* free blocks */
	put16(head + 3, n);
	put16(head + 5, from);
	head[7] = 0; /* fragments */
}

/* ---------------------------------------------------------------------------------------------------------- trees */

static void level_deinit(struct dblevel *level)
{
	free(level->children);
	free(level->cells);
	*level = (struct dblevel){0};
}

static int level_add(struct dblevel *level, uint32_t page, const unsigned char *cell, size_t size)
{
	if (level->n == level->room) {
		size_t room = level->room ? 2 * level->room : 64;
		struct dbchild *children = realloc(level->children, room * sizeof(*children));

		if (!children)
			return -ENOMEM;
		level->children = children;
		level->room = room;
	}
	if (level->size + size > level->cells_room) {
		size_t room = 2 * (level->size + size);
		unsigned char *cells = realloc(level->cells, room);

		if (!cells)
			return -ENOMEM;
		level->cells = cells;
		level->cells_room = room;
	}
	memcpy(level->cells + level->size, cell, size);
	level->children[level->n++] = (struct dbchild){page, (uint32_t)level->size, (uint32_t)size};
	level->size += size;
	return 0;
}

void dbtree_init(struct dbtree *tree, struct dbfile *db, bool is_index)
{
	tree->db = db;
	tree->is_index = is_index;
	tree->last = 0;
	tree->leaves = (struct dblevel){0};
	tree->n = 0;
	tree->from = DBFILE_PAGE;
	tree->size = 0;
}

void dbtree_deinit(struct dbtree *tree)
{
	level_deinit(&tree->leaves);
}

static int write_leaf(struct dbtree *tree)
{
	const size_t pointers = LEAF_HEAD + 2 * tree->n;
	unsigned char *page;
	int r = next_page(tree->db, &page);

	if (r < 0)
		return r;
	put_page_head(tree->page, tree->is_index ? LEAF_INDEX : LEAF_TABLE, tree->n, tree->from);
	memcpy(page, tree->page, pointers);
	memset(page + pointers, 0, tree->from - pointers);
	memcpy(page + tree->from, tree->page + tree->from, DBFILE_PAGE - tree->from);
	return 0;
}

/* What parts a leaf of a table from the next is its last row's number, in an index it is an entry, taken out of it. */
static int end_leaf(struct dbtree *tree)
{
	unsigned char cell[DBFILE_PAGE];
	size_t size;
	int r;

	if (tree->is_index) {
		size = tree->size;
		memcpy(cell, tree->page + tree->from, size);
		tree->n--;
		tree->from += size;
	} else {
		size = put_varint(cell, (uint64_t)tree->last);
	}
	r = write_leaf(tree);
	if (r == 0)
		r = level_add(&tree->leaves, tree->db->n_pages, cell, size);
	tree->n = 0;
	tree->from = DBFILE_PAGE;
	return r;
}

static size_t local_size(const struct dbtree *tree, size_t size)
{
	size_t max = tree->is_index ? LOCAL_MAX_INDEX : LOCAL_MAX_TABLE;
	size_t local = LOCAL_MIN + (size - LOCAL_MIN) % OVERFLOW_SIZE;

	if (size <= max)
		return size;
	return local <= max ? local : LOCAL_MIN;
}

int dbtree_add(struct dbtree *tree, const struct dbrow *row)
{
	struct reader reader = {.row = row};
	size_t size = row->head_size + row->size, local = local_size(tree, size), head, at;
	size_t cell_size = varint_size(size) + local + (local < size ? 4 : 0);
	unsigned char *cell;
	int r = 0;

	if (!tree->is_index)
		cell_size += varint_size((uint64_t)row->number);
	if (cell_size < CELL_MIN)
		cell_size = CELL_MIN;
	if (LEAF_HEAD + 2 * (tree->n + 1) + cell_size > tree->from)
		r = end_leaf(tree);
	if (r < 0)
		return r;
	tree->from -= cell_size;
	tree->size = cell_size;
	tree->last = row->number;
	put16(tree->page + LEAF_HEAD + 2 * tree->n++, tree->from);
	cell = tree->page + tree->from;
	at = put_varint(cell, size);
	if (!tree->is_index)
		at += put_varint(cell + at, (uint64_t)row->number);
	head = put_head(row, cell + at);
	read_row(&reader, cell + at + head, local - head);
	at += local;
	if (local < size)
		put32(cell + at, number_of_next_page(tree->db));
	return local < size ? add_overflow(tree->db, &reader, size - local) : 0;
}

/* How many cells of @level, from @first on, go into a page; the child after them is its last. Two children must be left
 * for another page, or none. */
static size_t count_cells(const struct dblevel *level, size_t first)
{
	size_t room = DBFILE_PAGE - INNER_HEAD, n = 0, left;

	while (first + n + 1 < level->n && level->children[first + n].size + 6 <= room) {
		room -= level->children[first + n].size + 6;
		n++;
	}
	left = level->n - first - n - 1;
	return left == 1 ? n - 1 : n;
}

static int write_inner(struct dbtree *tree, const struct dblevel *level, size_t first, size_t n)
{
	unsigned char *page;
	size_t from = DBFILE_PAGE;
	int r = next_page(tree->db, &page);

	if (r < 0)
		return r;
	memset(page, 0, DBFILE_PAGE);
	for (size_t i = 0; i < n; i++) {
		const struct dbchild *c = &level->children[first + i];

		from -= c->size + 4;
		put32(page + from, c->page);
		memcpy(page + from + 4, level->cells + c->at, c->size);
		put16(page + INNER_HEAD + 2 * i, from);
	}
	put_page_head(page, tree->is_index ? INNER_INDEX : INNER_TABLE, (unsigned int)n, from);
	put32(page + LEAF_HEAD, level->children[first + n].page);
	return 0;
}

static int build_above(struct dbtree *tree, const struct dblevel *level, struct dblevel *above)
{
	int r = 0;

	for (size_t first = 0; first < level->n && r == 0;) {
		size_t n = count_cells(level, first);
		const struct dbchild *last = &level->children[first + n];

		r = write_inner(tree, level, first, n);
		if (r == 0)
			r = level_add(above, tree->db->n_pages, level->cells + last->at, last->size);
		first += n + 1;
	}
	return r;
}

int dbtree_finish(struct dbtree *tree, uint32_t *root)
{
	struct dblevel *level = &tree->leaves;
	int r = write_leaf(tree);

	if (r == 0)
		r = level_add(level, tree->db->n_pages, NULL, 0);
	while (r == 0 && level->n > 1) {
		struct dblevel above = {0};

		r = build_above(tree, level, &above);
		level_deinit(level);
		*level = above;
	}
	if (r == 0)
		*root = level->children[0].page;
	return r;
}

/* ----------------------------------------------------------------------------------------------------------- file */

int dbfile_init(struct dbfile *db, int fd)
{
	*db = (struct dbfile){.fd = fd, .n_pages = 1, .first = 2, .schema_from = DBFILE_PAGE};
	db->window = malloc(WINDOW * DBFILE_PAGE);
	db->schema = calloc(1, DBFILE_PAGE);
	return db->window && db->schema ? 0 : -ENOMEM;
}

void dbfile_deinit(struct dbfile *db)
{
	free(take_ptr(db->window));
	free(take_ptr(db->schema));
}

/* All of it fits in the first page: what is in a data file is known. */
static int add_object(struct dbfile *db, const char *type, const char *name, const char *table, uint32_t root,
		      const char *sql)
{
	struct dbtree tree = {.n = db->n_objects, .from = db->schema_from};
	struct dbrow row;
	struct reader reader = {.row = &row};
	size_t size, at;

	dbrow_init(&row, ++db->n_objects);
	dbrow_text(&row, type);
	dbrow_text(&row, name);
	dbrow_text(&row, table);
	dbrow_integer(&row, root);
	if (sql)
		dbrow_text(&row, sql);
	else
		dbrow_null(&row);
	size = row.head_size + row.size;
	at = varint_size(size) + varint_size(db->n_objects) + size;
	if (FILE_HEAD + LEAF_HEAD + 2 * db->n_objects + at > tree.from)
		return -E2BIG;
	db->schema_from -= at;
	put16(db->schema + FILE_HEAD + LEAF_HEAD + 2 * tree.n, db->schema_from);
	at = db->schema_from;
	at += put_varint(db->schema + at, size);
	at += put_varint(db->schema + at, db->n_objects);
	at += put_head(&row, db->schema + at);
	read_row(&reader, db->schema + at, row.size);
	return 0;
}

int dbfile_add_table(struct dbfile *db, const char *table, uint32_t root, const char *sql)
{
	return add_object(db, "table", table, table, root, sql);
}

int dbfile_add_index(struct dbfile *db, const char *table, unsigned int number, uint32_t root)
{
	char name[128];

	snprintf(name, sizeof(name), "sqlite_autoindex_%s_%u", table, number);
	return add_object(db, "index", name, table, root, NULL);
}

static void put_file_head(struct dbfile *db)
{
	static const char magic[16] = "SQLite format 3";
	unsigned char *p = db->schema;

	memcpy(p, magic, sizeof(magic));
	put16(p + 16, DBFILE_PAGE);
	p[18] = p[19] = 1; /* a journal that is rolled back, none that is ahead */
	p[21] = 64;	   /* fractions of pages, which are fixed */
	p[22] = p[23] = 32;
	put32(p + 24, 1); /* how often it was changed */
	put32(p + 28, db->n_pages);
	put32(p + 40, 1); /* how often the schema was */
	put32(p + 44, 4); /* its format */
	put32(p + 56, 1); /* UTF-8 */
	put32(p + 92, 1); /* the change at which the next number was right */
	put32(p + 96, SQLITE_VERSION_NUMBER);
	put_page_head(p + FILE_HEAD, LEAF_TABLE, db->n_objects, db->schema_from);
}

int dbfile_finish(struct dbfile *db)
{
	int r = write_window(db);

	put_file_head(db);
	return r < 0 ? r : write_all(db->fd, db->schema, DBFILE_PAGE, 0);
}
