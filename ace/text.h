#pragma once
#include <string>
#include <string_view>

namespace ace {

/// Unicode NFKC with case folding (utf8proc); white space runs become one space, ends are trimmed.
/// The input must be valid UTF-8 (see is_utf8); fails otherwise.
std::string normalize(std::string_view text);
bool is_utf8(std::string_view text);
/// Whether anything would be seen: at least one character that is neither space, control nor unassigned.
bool has_visible(std::string_view text);
/// For a terminal: control characters as `\x1b`, `\n`, …
std::string escape(std::string_view text);

}  // namespace ace
