/*
 * toml++ does the parsing; what is kept are the tables that may hold settings. The only file in C++, as Debian 12 has
 * no TOML library for C. Of the library the headers alone, so that the program needs nothing of C++ at run time.
 *
 * Its assertions do not hold for all input (3.3.0: "[="), and with NDEBUG they become promises to the compiler. Here
 * they are exceptions. It also recurses as deep as a dotted key is long, so that has a limit.
 */
#undef NDEBUG

namespace
{
struct assertion_failed {
};
} // namespace

#define TOML_ASSERT(expr) ((expr) ? (void)0 : throw assertion_failed())
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0

#include <toml++/toml.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "config_file.h"
}

namespace
{

constexpr size_t KEY_PARTS_MAX = 500;

using entry = std::pair<std::string_view, const toml::node *>;

/* In the order of the file: toml++ sorts by name, and the order of [paths] counts. */
std::vector<entry> in_order(const toml::table &table)
{
	std::vector<entry> entries;

	for (auto &&[key, node] : table)
		entries.emplace_back(key.str(), &node);
	std::stable_sort(entries.begin(), entries.end(), [](const entry &a, const entry &b) {
		auto x = a.second->source().begin, y = b.second->source().begin;

		return x.line != y.line ? x.line < y.line : x.column < y.column;
	});
	return entries;
}

bool set_text(config_setting *setting, config_kind kind, const std::string &text)
{
	setting->kind = kind;
	setting->text = strdup(text.c_str());
	return setting->text;
}

/* A NUL in a string ends it, as it would any name or pattern. */
bool set_list(config_setting *setting, const toml::array &array)
{
	setting->kind = CONFIG_KIND_LIST;
	for (auto &&item : array) {
		auto *text = item.as_string();

		if (!text) {
			setting->kind = CONFIG_KIND_OTHER;
			return true;
		}
		if (string_list_push(&setting->list, text->get().c_str()) < 0)
			return false;
	}
	return true;
}

bool set_value(config_setting *setting, const toml::node &node)
{
	setting->kind = CONFIG_KIND_OTHER;
	if (auto *text = node.as_string())
		return set_text(setting, CONFIG_KIND_TEXT, text->get());
	if (auto *array = node.as_array())
		return set_list(setting, *array);
	if (auto *boolean = node.as_boolean()) {
		setting->number = boolean->get();
		return set_text(setting, CONFIG_KIND_BOOLEAN, boolean->get() ? "true" : "false");
	}
	if (auto *integer = node.as_integer()) {
		setting->number = static_cast<double>(integer->get());
		return set_text(setting, CONFIG_KIND_INTEGER, std::to_string(integer->get()));
	}
	if (auto *real = node.as_floating_point()) {
		setting->number = real->get();
		return set_text(setting, CONFIG_KIND_FLOAT, std::to_string(real->get()));
	}
	return true;
}

config_setting *add(config_file *file, const std::string &section, const char *name, const toml::node &node)
{
	auto at = node.source().begin;

	return config_file_add(file, section.c_str(), name, static_cast<int>(at.line), static_cast<int>(at.column));
}

bool add_table(config_file *file, const std::string &section, const toml::table &table)
{
	if (!add(file, section, nullptr, table))
		return false;
	for (auto &&[name, node] : in_order(table)) {
		auto *setting = add(file, section, std::string(name).c_str(), *node);

		if (!setting || !set_value(setting, *node))
			return false;
	}
	return true;
}

/* What should be a section but is no table is kept too, to be complained of if it is one of ours. */
bool add_tables(config_file *file, const std::string &prefix, const toml::table &parent)
{
	for (auto &&[name, node] : in_order(parent)) {
		auto section = prefix + std::string(name);

		if (auto *table = node->as_table()) {
			if (!add_table(file, section, *table))
				return false;
		} else if (auto *setting = add(file, section, nullptr, *node)) {
			setting->kind = CONFIG_KIND_OTHER;
		} else {
			return false;
		}
	}
	return true;
}

/* The offset of the first key of too many parts, or npos. */
size_t find_deep_key(std::string_view text)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.size(); i++) {
		unsigned char c = static_cast<unsigned char>(text[i]);

		if (c == '.' && ++dots > KEY_PARTS_MAX)
			return i;
		if (c == '\n' || c == '=' || c == ',' || c == ']' || c == '#')
			dots = 0;
	}
	return std::string_view::npos;
}

int wrong_at(config_file *file, std::string_view text, size_t offset, const char *what)
{
	auto before = text.substr(0, offset);
	auto line = 1 + std::count(before.begin(), before.end(), '\n');
	auto start = before.rfind('\n');

	return config_file_wrong(file, static_cast<int>(line),
				 static_cast<int>(start == before.npos ? offset + 1 : offset - start), "%s", what);
}

bool breaks_assertion(std::string_view text)
{
	try {
		(void)toml::parse(text);
	} catch (const toml::parse_error &) {
	} catch (const assertion_failed &) {
		return true;
	}
	return false;
}

/* An assertion does not say where: it is the first line with which it fails. */
int wrong_somewhere(config_file *file, std::string_view text)
{
	size_t start = 0;

	for (size_t end; (end = text.find('\n', start)) != text.npos; start = end + 1)
		if (breaks_assertion(text.substr(0, end)))
			break;
	return wrong_at(file, text, start, "this cannot be parsed");
}

int parse(config_file *file, std::string_view text)
{
	auto deep = find_deep_key(text);

	if (deep != text.npos)
		return wrong_at(file, text, deep, "a key of too many parts");
	auto result = toml::parse(text);
	auto *ours = result["tool"]["coverage"].as_table();
	if (ours && !add_tables(file, "tool.coverage.", *ours))
		return -ENOMEM;
	return add_tables(file, "", result) ? 0 : -ENOMEM;
}

} // namespace

extern "C" int config_toml_parse(struct config_file *file, const char *text, size_t len)
{
	std::string_view all(text, len);

	file->is_toml = true;
	try {
		return parse(file, all);
	} catch (const toml::parse_error &error) {
		auto at = error.source().begin;

		return config_file_wrong(file, static_cast<int>(at.line), static_cast<int>(at.column), "%s", error.what());
	} catch (const assertion_failed &) {
		return wrong_somewhere(file, all);
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}
