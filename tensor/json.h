#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tensor/error.h"

namespace tensor {

/// Parses JSON from a file that may be hostile. Fails with one line, `origin: column 17: …`, on anything that is not
/// JSON, on a key that an object has twice, and on nesting deeper than `depth`.
nlohmann::json parse_json(std::string_view text, std::string_view origin, int depth = 8);

/// `text` as a JSON string, quotes included; fails, naming `origin`, when it is not UTF-8.
std::string json_string(std::string_view text, std::string_view origin);

/// `column 17: …`, one short line, from what the library says of a syntax error in `text`.
std::string json_error(std::string_view text, size_t position, std::string_view said);

}  // namespace tensor
