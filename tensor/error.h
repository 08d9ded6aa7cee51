#pragma once
#include <fmt/core.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tensor {

/// The one exception of the house. Its message is one line that names the thing, what was expected and what was found:
/// `softmax: x [8, 0] has no columns` · `corpus.jsonl:17: "_id" missing`.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws Error with a formatted message (fmt's syntax, checked at compile time).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

/// `check(condition, "softmax: x {} has no columns", x.shape())`: fails unless the condition holds.
template <class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    fail(format, std::forward<Args>(args)...);
}

/// Foreign text (a name or an id from a file) made fit for a message: one line, control characters and bytes that are
/// not UTF-8 as `\x1b`, cut with `…` after `limit` bytes.
std::string one_line(std::string_view text, size_t limit = 120);
/// A path, alike.
std::string name_of(const std::filesystem::path& path);

}  // namespace tensor
