#include "ace/text.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

#include "tensor/error.h"

namespace ace {
namespace {

bool is_blank(int32_t code) {
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
      return true;
    default:
      return false;
  }
}

template <class T>
bool parse(std::string_view text, T& value) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

void append_escaped(std::string& out, int32_t code, std::string_view bytes) {
  if (code == '\n')
    out += "\\n";
  else if (code == '\r')
    out += "\\r";
  else if (code == '\t')
    out += "\\t";
  else if (code < 0)
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
  else if (code < 0x100)
    out += fmt::format("\\x{:02x}", code);
  else
    out += fmt::format("\\u{:04x}", code);
}

bool must_escape(int32_t code) {
  if (code < 0) return true;
  if (code < 0x7f) return code < 0x20;
  switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return false;
  }
}

/// What utf8proc makes of each character, and runs of marks in canonical order: utf8proc_decompose, whose own ordering
/// takes the square of a run's length.
std::vector<int32_t> decomposed(std::string_view text, utf8proc_option_t options) {
  std::vector<int32_t> codes;
  codes.reserve(text.size() + 1);
  for (int boundary = 0; !text.empty();) {
    const auto [code, bytes] = first_character(text);
    int32_t parts[32];  // no character has as many
    const utf8proc_ssize_t count = utf8proc_decompose_char(code, parts, std::ssize(parts), options, &boundary);
    tensor::check(count >= 0, "text: {} while normalising {}", utf8proc_errmsg(count), quote(text));
    codes.insert(codes.end(), parts, parts + count);
    text.remove_prefix(size_t(bytes));
  }
  const auto order = [](int32_t code) { return utf8proc_get_property(code)->combining_class; };
  for (auto begin = codes.begin(); begin != codes.end();) {
    const auto end = std::find_if(begin, codes.end(), [&](int32_t code) { return order(code) == 0; });
    if (end - begin > 1) std::ranges::stable_sort(begin, end, {}, order);
    begin = end == codes.end() ? end : end + 1;
  }
  return codes;
}

}  // namespace

Character first_character(std::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const int32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead >= 0xC2 && lead < 0xE0 && follows(1)) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead >= 0xE0 && lead < 0xF0 && follows(1) && follows(2)) {
    const int32_t code = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    if (code >= 0x800 && (code < 0xD800 || code > 0xDFFF)) return {code, 3};
  }
  if (lead >= 0xF0 && lead < 0xF5 && follows(1) && follows(2) && follows(3)) {
    const int32_t code = (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    if (code >= 0x10000 && code <= 0x10FFFF) return {code, 4};
  }
  return {};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    if (code < 0) return false;
    text.remove_prefix(size_t(bytes));
  }
  return true;
}

std::string single_spaced(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool pending = false;
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    if (is_blank(code)) {
      pending = !result.empty();
    } else {
      if (pending) result += ' ';
      pending = false;
      result.append(text.substr(0, size_t(bytes)));
    }
    text.remove_prefix(size_t(bytes));
  }
  return result;
}

std::string normalize(std::string_view text) {
  tensor::check(is_utf8(text), "text: expected UTF-8, found {}", quote(text));
  const auto options =
      utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
  std::vector<int32_t> codes = decomposed(text, options);
  const auto count = utf8proc_ssize_t(codes.size());
  codes.push_back(0);  // room for the byte that ends what is written in their place
  const utf8proc_ssize_t size = utf8proc_reencode(codes.data(), count, options);
  tensor::check(size >= 0, "text: {} while normalising {}", utf8proc_errmsg(size), quote(text));
  return single_spaced({reinterpret_cast<const char*>(codes.data()), size_t(size)});
}

bool has_visible(std::string_view text) {
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    if (code >= 0 && !is_blank(code)) {
      const utf8proc_property_t* property = utf8proc_get_property(code);
      switch (property->category) {
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CN:
        case UTF8PROC_CATEGORY_CS:
          break;
        default:
          if (!property->ignorable) return true;
      }
    }
    text.remove_prefix(size_t(bytes));
  }
  return false;
}

std::string escape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    const std::string_view character = text.substr(0, size_t(bytes));
    if (must_escape(code))
      append_escaped(result, code, character);
    else
      result.append(character);
    text.remove_prefix(size_t(bytes));
  }
  return result;
}

std::string quote(std::string_view text, size_t limit) {
  size_t size = 0;
  while (size < text.size()) {
    const size_t next = size + size_t(first_character(text.substr(size)).bytes);
    if (next > limit) break;
    size = next;
  }
  return fmt::format("\"{}{}\"", escape(text.substr(0, size)), size < text.size() ? "…" : "");
}

bool parse_number(std::string_view text, int64_t& value) { return parse(text, value); }
bool parse_number(std::string_view text, double& value) { return parse(text, value); }

bool parse_list(std::string_view text, std::vector<int64_t>& list) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  text = trimmed(text);
  for (bool more = !text.empty(); more;) {
    const size_t comma = std::min(text.find(','), text.size());
    if (!parse(trimmed(text.substr(0, comma)), list.emplace_back())) return false;
    more = comma < text.size();  // after a comma one must follow
    text.remove_prefix(comma + (more ? 1 : 0));
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

int64_t columns_of(std::string_view text) {
  int64_t columns = 0;
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    columns += code < 0 ? 1 : utf8proc_charwidth(code);
    text.remove_prefix(size_t(bytes));
  }
  return columns;
}

}  // namespace ace
