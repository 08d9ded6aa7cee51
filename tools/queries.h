#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tools {

/// Fails, with `origin` in front, on text that is not UTF-8 or shows nothing.
void check_query(std::string_view text, std::string_view origin);
/// The queries of a file: one a line or, in a file named *.jsonl, the "text" of an object a line. Every line is
/// checked; errors carry file and line.
std::vector<std::string> read_queries(const std::filesystem::path& file);

}  // namespace tools
