#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/error.h"

/// Text files read line by line; every complaint begins with `file:line:`.
namespace ace {

struct Place {
  const std::string& file;
  int64_t line;

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    tensor::fail("{}:{}: {}", file, line, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void check(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (!condition) [[unlikely]]
      fail(format, std::forward<Args>(args)...);
  }
};

/// Calls f for each line, without its end (`\n` or `\r\n`). Fails on text that is not UTF-8 and on an empty line, but
/// for empty lines at the end of the file.
void for_each_line(std::string_view text, const std::string& file,
                   const std::function<void(const Place&, std::string_view)>& f);

/// Picks members that hold text out of the JSON object on a line; other members may hold anything. Fails on what is not
/// one JSON object, on a picked member that is there twice or is not text. A member that is null counts as not there.
class ObjectReader {
 public:
  explicit ObjectReader(std::vector<std::string_view> names) : names_(std::move(names)), values_(names_.size()) {}
  /// One value for each name; they stay until the next read and may be moved from.
  std::span<std::optional<std::string>> read(const Place& place, std::string_view line);

 private:
  std::vector<std::string_view> names_;
  std::vector<std::optional<std::string>> values_;
};

}  // namespace ace
