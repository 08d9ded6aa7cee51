#include "tensor/error.h"

namespace tensor {
namespace {

/// Bytes of the UTF-8 character that `text` starts with; 0 when it starts with none, or with a control character.
size_t visible_character(std::string_view text) {
  const auto byte = [&](size_t i) { return uint8_t(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f;
  const size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool control = lead == 0xc2 && byte(1) < 0xa0;                               // U+0080 … U+009F
  const bool break_line = lead == 0xe2 && byte(1) == 0x80 && (byte(2) | 1) == 0xa9;  // U+2028, U+2029
  return control || break_line ? 0 : length;
}

}  // namespace

std::string one_line(std::string_view text, size_t limit) {
  std::string result;
  while (!text.empty()) {
    if (result.size() >= limit) return result + "…";
    const size_t length = visible_character(text);
    if (length) {
      result += text.substr(0, length);
    } else {
      result += fmt::format("\\x{:02x}", uint8_t(text[0]));
    }
    text.remove_prefix(length ? length : 1);
  }
  return result;
}

std::string name_of(const std::filesystem::path& path) { return one_line(path.string(), 1000); }

}  // namespace tensor
