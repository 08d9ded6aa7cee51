#include <toml++/toml.h>

#include "ace/settings_value.h"
#include "ace/text.h"
#include "tensor/file.h"

namespace ace {
namespace {

using tensor::Error;
using tensor::fail;

std::string type_of(const toml::node& node) {
  return std::string(toml::impl::node_type_friendly_names[size_t(node.type())]);
}

SettingValue value_of(const Setting& setting, const toml::node& node) {
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  const toml::array* array = node.as_array();
  if (!array) fail("{}: expected {}, found {}", setting.name, range_text(setting), type_of(node));
  std::vector<int64_t> list;
  for (const toml::node& element : *array) {
    const auto* value = element.as_integer();
    if (!value) fail("{}: expected {}, found {} in a list", setting.name, range_text(setting), type_of(element));
    list.push_back(value->get());
  }
  return list;
}

void apply(Settings& settings, const toml::table& table, const std::string& prefix, std::string_view origin) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table(); inner && prefix.empty()) {
      apply(settings, *inner, name + ".", origin);
      continue;
    }
    try {
      const Setting& setting = find_setting(name);
      assign(settings, setting, value_of(setting, node));
    } catch (const Error& error) {
      fail("{}:{}: {}", origin, key.source().begin.line, error.what());
    }
  }
}

}  // namespace

void parse_settings(Settings& settings, std::string_view text, std::string_view origin) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail("{}:{}: {}", origin, error.source().begin.line, escape(error.description()));
  }
  Settings result = settings;  // all of the file or nothing of it
  apply(result, table, "", origin);
  settings = result;
}

void load_settings(Settings& settings, const std::filesystem::path& file) {
  parse_settings(settings, tensor::read_input(file, size_t(1) << 20), escape(file.string()));
}

std::string to_toml(const Settings& settings) {
  std::string text, group;
  for (const Setting& setting : settings_table()) {
    const size_t dot = setting.name.find('.');
    const std::string_view table = dot == setting.name.npos ? std::string_view() : setting.name.substr(0, dot);
    if (table != group) text += fmt::format("\n[{}]\n", group = table);
    text += fmt::format("{} = {}\n", setting.name.substr(dot + 1), value_text(settings, setting));
  }
  return text;
}

}  // namespace ace
