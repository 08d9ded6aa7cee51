#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tools {

/// Rows of cells as text: columns padded to their widest cell, numbers to the right. The first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);
/// One JSON document and a line end.
void print_json(const nlohmann::json& document);
/// `12.3 %` of a fraction.
std::string percent(double fraction);
/// A JSON scalar as a short text: words escaped, numbers to four digits.
std::string short_text(const nlohmann::json& value);
/// `items 1000  inertia 23.1`: the scalars of an object on one line.
std::string scalars(const nlohmann::json& object);
/// The same, one a line.
void print_scalars(const nlohmann::json& object);
/// The report of identify: its scalars, then a table of codebooks.
void print_quality(const nlohmann::json& quality);

}  // namespace tools
