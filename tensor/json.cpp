#include "tensor/json.h"

#include <algorithm>
#include <set>
#include <vector>

namespace tensor {

std::string json_error(std::string_view text, size_t position, std::string_view said) {
  // "[json.exception.parse_error.101] parse error at line 1, column 9: syntax error while parsing value - …"
  for (const std::string_view before : {"parse error: ", ": "}) {
    const size_t at = said.find(before);
    if (at == said.npos) continue;
    said.remove_prefix(at + before.size());
    break;
  }
  const size_t end = std::min(position, text.size());  // the position is that of the last byte read, from 1
  const size_t line = size_t(std::count(text.begin(), text.begin() + long(end), '\n')) + 1;
  const size_t begin = end == 0 ? 0 : text.rfind('\n', end - 1) + 1;  // npos + 1 = 0
  const std::string place = line == 1 ? "" : fmt::format("line {}, ", line);
  return fmt::format("{}column {}: {}", place, std::max<size_t>(end - std::min(begin, end), 1), one_line(said));
}

std::string json_string(std::string_view text, std::string_view origin) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail("{}: \"{}\" is not UTF-8", origin, one_line(text));
  }
}

nlohmann::json parse_json(std::string_view text, std::string_view origin, int depth) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;  // of the objects around the current place
  const auto watch = [&](int, Event event, nlohmann::json& value) {
    if (event == Event::object_start || event == Event::array_start) {
      keys.emplace_back();
      check(int(keys.size()) <= depth, "{}: expected JSON at most {} levels deep", origin, depth);
    } else if (event == Event::object_end || event == Event::array_end) {
      keys.pop_back();
    } else if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      check(keys.back().insert(key).second, "{}: key \"{}\" appears twice", origin, one_line(key));
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, watch);
  } catch (const nlohmann::json::parse_error& error) {
    fail("{}: {}", origin, json_error(text, error.byte, error.what()));
  } catch (const nlohmann::json::exception& error) {
    fail("{}: {}", origin, one_line(error.what()));
  }
}

}  // namespace tensor
