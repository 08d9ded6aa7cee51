#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ace {

/// Unicode's NFKC_Casefold (utf8proc): compatibility forms unified, case folded, composed, and code points that by
/// default are not shown (soft hyphen, zero-width joiner, variation selectors, …) dropped. Then runs of white space and
/// control characters become one space and ends are trimmed. The input must be valid UTF-8 (see is_utf8); fails
/// otherwise.
std::string normalize(std::string_view text);
/// Runs of white space and control characters become one space, none at the ends; nothing else changes.
std::string single_spaced(std::string_view text);
/// Strict UTF-8: shortest forms only, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);
/// Whether anything would be seen: at least one character that is neither space, control, default-ignorable nor
/// unassigned.
bool has_visible(std::string_view text);
/// For a terminal: control and formatting characters (line breaks, escape sequences, right-to-left overrides) and bytes
/// that are no UTF-8, as `\n`, `\x1b`, `\u202e`, …
std::string escape(std::string_view text);
/// For a message: escaped, at most `limit` bytes of it followed by `…`, between double quotes.
std::string quote(std::string_view text, size_t limit = 60);

/// Reads a decimal number and nothing else, a `+` allowed; whether it could, and it fits.
bool parse_number(std::string_view text, int64_t& value);
bool parse_number(std::string_view text, double& value);
/// Integers with commas between, as they are or in brackets: `512, 256` or `[512, 256]`; empty: none.
bool parse_list(std::string_view text, std::vector<int64_t>& list);
/// Without white space at the ends.
std::string_view trimmed(std::string_view text);

/// How many columns of a terminal the text takes.
int64_t columns_of(std::string_view text);

/// One character of UTF-8 text: its code point and how many bytes it takes; `code` is −1 (and bytes 1) where `text`
/// does not start with a valid character.
struct Character {
  int32_t code = -1;
  int32_t bytes = 1;
};
Character first_character(std::string_view text);

}  // namespace ace
