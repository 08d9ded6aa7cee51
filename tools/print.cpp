#include "tools/print.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ace/text.h"

namespace tools {
namespace {

bool numeric(const std::string& cell) {
  return !cell.empty() && (cell[0] == '-' || (cell[0] >= '0' && cell[0] <= '9'));
}

}  // namespace

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], size_t(ace::columns_of(row[i])));
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool right = rows.size() > 1 && i < rows[1].size() && numeric(rows[1][i]);
      const std::string padding(widths[i] - size_t(ace::columns_of(row[i])), ' ');
      line += "  " + (right ? padding + row[i] : row[i] + padding);
    }
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

void print_json(const nlohmann::json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string short_text(const nlohmann::json& value) {
  if (value.is_string()) return ace::escape(value.get_ref<const std::string&>());
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return std::trunc(number) == number && std::abs(number) < 1e15 ? fmt::format("{:.0f}", number)
                                                                   : fmt::format("{:.4g}", number);
  }
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string scalars(const nlohmann::json& object) {
  std::string text;
  for (const auto& [name, value] : object.items()) {
    if (value.is_structured() || value.is_null()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", ace::escape(name), short_text(value));
  }
  return text;
}

void print_scalars(const nlohmann::json& object) {
  for (const auto& [name, value] : object.items()) {
    const bool empty = value.is_string() && value.get_ref<const std::string&>().empty();
    if (!value.is_structured() && !value.is_null() && !empty)
      fmt::print("  {:<20} {}\n", ace::escape(name), short_text(value));
  }
}

void print_quality(const nlohmann::json& quality) {
  print_scalars(quality);
  std::vector<std::vector<std::string>> rows = {{"codebook", "entries", "used", "perplexity"}};
  for (const auto& codebook : quality.value("codebooks", nlohmann::json::array())) {
    std::vector<std::string> row = {std::to_string(rows.size())};
    for (size_t i = 1; i < rows[0].size(); ++i) row.push_back(short_text(codebook.value(rows[0][i], nlohmann::json())));
    rows.push_back(std::move(row));
  }
  if (rows.size() > 1) print_table(rows);
}

}  // namespace tools
