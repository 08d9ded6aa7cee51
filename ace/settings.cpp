#include "ace/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "ace/nearest.h"
#include "ace/settings_value.h"
#include "ace/text.h"
#include "tensor/error.h"
#include "tensor/transfer.h"

namespace ace {
namespace {

using tensor::check;
using tensor::fail;

/// Reads text as the field's type; what does not fit stays text, which assign then refuses.
SettingValue parse_value(const Setting::Field& field, std::string_view text) {
  int64_t integer = 0;
  double number = 0;
  std::vector<int64_t> list;
  if (std::holds_alternative<int64_t*>(field) && parse_number(text, integer)) return integer;
  if (std::holds_alternative<double*>(field) && parse_number(text, number)) return number;
  if (std::holds_alternative<bool*>(field) && (text == "true" || text == "false")) return text == "true";
  if (std::holds_alternative<std::vector<int64_t>*>(field) && parse_list(text, list)) return list;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

bool in_range(const Setting& setting, double value) { return value >= setting.low && value <= setting.high; }

bool fits(const Setting& setting, const SettingValue& value) {
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
    return list->size() <= 16 &&
           std::all_of(list->begin(), list->end(), [&](int64_t x) { return in_range(setting, double(x)); });
  }
  if (const auto* word = std::get_if<std::string>(&value)) {
    return std::find(setting.choices.begin(), setting.choices.end(), *word) != setting.choices.end();
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) return in_range(setting, double(*integer));
  if (const auto* number = std::get_if<double>(&value)) return in_range(setting, *number);  // NaN is in no range
  return true;
}

std::string double_text(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == text.npos ? text + ".0" : text;
}

std::string list_text(const std::vector<int64_t>& list) { return fmt::format("[{}]", fmt::join(list, ", ")); }

}  // namespace

std::string value_text(const SettingValue& value) {
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) return list_text(*list);
  if (const auto* word = std::get_if<std::string>(&value)) return quote(*word);
  if (const auto* integer = std::get_if<int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* number = std::get_if<double>(&value)) return double_text(*number);
  return std::get<bool>(value) ? "true" : "false";
}

std::string value_text(const Settings& settings, const Setting& setting) {
  Settings copy = settings;
  return std::visit([](auto* field) { return value_text(SettingValue(*field)); }, setting.field(copy));
}

std::string range_text(const Setting& setting) {
  Settings defaults;
  const Setting::Field field = setting.field(defaults);
  if (std::holds_alternative<bool*>(field)) return "true or false";
  if (!setting.choices.empty()) return fmt::format("\"{}\"", fmt::join(setting.choices, "\" or \""));
  const std::string range = fmt::format("{} to {}", setting.low, setting.high);
  if (std::holds_alternative<double*>(field)) return "a number from " + range;
  if (std::holds_alternative<int64_t*>(field))
    return fmt::format("an integer from {:.0f} to {:.0f}", setting.low, setting.high);
  return fmt::format("a list of at most 16 integers from {:.0f} to {:.0f}", setting.low, setting.high);
}

const Setting& find_setting(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Setting& setting : settings_table()) {
    if (setting.name == name) return setting;
    names.push_back(setting.name);
  }
  fail("unknown setting {}; did you mean \"{}\"?", quote(name), nearest(name, names));
}

void assign(Settings& settings, const Setting& setting, SettingValue value) {
  const Setting::Field field = setting.field(settings);
  const auto* integer = std::get_if<int64_t>(&value);
  if (integer && std::holds_alternative<double*>(field)) value = double(*integer);
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        const T* given = std::get_if<T>(&value);
        check(given && fits(setting, value), "{}: expected {}, found {}", setting.name, range_text(setting),
              tensor::one_line(value_text(value), 300));
        *target = *given;
      },
      field);
}

void set(Settings& settings, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  check(equals != assignment.npos, "setting {}: expected NAME=VALUE", quote(assignment));
  const Setting& setting = find_setting(trimmed(assignment.substr(0, equals)));
  assign(settings, setting, parse_value(setting.field(settings), trimmed(assignment.substr(equals + 1))));
}

kernels::Precision precision_of(std::string_view name) {
  if (name == "bf16") return kernels::Precision::bf16;
  if (name == "f16") return kernels::Precision::f16;
  return name == "int8" ? kernels::Precision::int8 : kernels::Precision::full;
}

kernels::Precision precision_on(tensor::Device device, std::string_view name) {
  const bool cuda = device == tensor::Device::cuda;
  check(name != "f16" || cuda,
        "precision f16: for --device cuda alone; on the CPU bf16 is as fast, and needs no scaling");
  check(name != "int8" || !cuda, "precision int8: for --device cpu alone; on a GPU use f16 or bf16");
  check(name != "bf16" || !cuda || tensor::has_bf16(device),
        "precision bf16: {}, or the code that it runs, has no bf16 products, which came with compute capability 8.0; "
        "use f16",
        tensor::device_name(device));
  return precision_of(name);
}

void check_settings(const Settings& s) {
  check(s.model.width % 2 == 0, "model.width: expected an even number, found {}", s.model.width);
  check(s.model.width % s.model.heads == 0, "model.heads: expected a divisor of model.width = {}, found {}",
        s.model.width, s.model.heads);
  check(s.model.dropout < 1, "model.dropout: expected less than 1, found {}", s.model.dropout);
  const int64_t unique = s.identifiers.unique;
  check(unique >= 4 && (unique & (unique - 1)) == 0, "identifiers.unique: expected a power of two from 4, found {}",
        unique);
  check(s.rqvae.warmup_epochs <= s.rqvae.epochs, "rqvae.warmup_epochs: expected at most rqvae.epochs = {}, found {}",
        s.rqvae.epochs, s.rqvae.warmup_epochs);
  check(s.rqvae.first_rate <= s.rqvae.rate, "rqvae.first_rate: expected at most rqvae.rate = {}, found {}",
        s.rqvae.rate, s.rqvae.first_rate);
  check(s.train.warmup_epochs <= double(s.train.epochs),
        "train.warmup_epochs: expected at most train.epochs = {}, found {}", s.train.epochs, s.train.warmup_epochs);
  check(s.train.first_rate <= s.train.rate, "train.first_rate: expected at most train.rate = {}, found {}",
        s.train.rate, s.train.first_rate);
}

std::string settings_markdown() {
  const Settings defaults;
  std::string text = "| setting | default | range | meaning | verb |\n|---|---|---|---|---|\n";
  for (const Setting& s : settings_table()) {
    std::string range = range_text(s);  // the default shows the type
    if (const size_t from = range.find(" from "); from != range.npos) range.erase(0, from + 6);
    text += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", s.name, value_text(defaults, s), range, s.help, s.stage);
  }
  return text;
}

}  // namespace ace
