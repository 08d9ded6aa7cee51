#include "ace/lines.h"

#include <algorithm>

#include "ace/text.h"
#include "tensor/json.h"

namespace ace {
namespace {

using Json = nlohmann::json;

/// Hears the parser's events, so that a line costs no tree. `depth_` counts open objects and lists; the members that
/// interest us are those of depth 1.
class Picker : public nlohmann::json_sax<Json> {
 public:
  Picker(const Place& place, std::string_view line, std::span<const std::string_view> names,
         std::span<std::optional<std::string>> values)
      : place_(place), line_(line), names_(names), values_(values) {}

  bool null() override { return value("null", nullptr); }
  bool boolean(bool) override { return value("a truth value", nullptr); }
  bool number_integer(number_integer_t) override { return value("a number", nullptr); }
  bool number_unsigned(number_unsigned_t) override { return value("a number", nullptr); }
  bool number_float(number_float_t, const string_t&) override { return value("a number", nullptr); }
  bool string(string_t& text) override { return value("text", &text); }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override {
    if (depth_ > 0) value("an object", nullptr);
    ++depth_;
    return true;
  }
  bool start_array(size_t) override {
    value("a list", nullptr);
    ++depth_;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    member_ = size_t(std::find(names_.begin(), names_.end(), name) - names_.begin());
    if (member_ < names_.size()) place_.check(!values_[member_], "\"{}\" appears twice", names_[member_]);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    place_.fail("{}", tensor::json_error(line_, position, error.what()));
  }

 private:
  bool value(std::string_view kind, std::string* text) {
    place_.check(depth_ > 0, "expected a JSON object, found {}", kind);
    if (depth_ != 1 || member_ >= names_.size() || kind == "null") return true;
    place_.check(text != nullptr, "expected text in \"{}\", found {}", names_[member_], kind);
    values_[member_] = std::move(*text);
    return true;
  }

  const Place& place_;
  std::string_view line_;
  std::span<const std::string_view> names_;
  std::span<std::optional<std::string>> values_;
  int64_t depth_ = 0;
  size_t member_ = SIZE_MAX;
};

}  // namespace

void for_each_line(std::string_view text, const std::string& file,
                   const std::function<void(const Place&, std::string_view)>& f) {
  const bool valid = is_utf8(text);  // of the whole at once; only a bad file is searched for the line
  const size_t end = text.find_last_not_of("\r\n") + 1;  // npos + 1 = 0
  Place place{file, 0};
  for (size_t begin = 0; begin < end;) {
    ++place.line;
    const size_t stop = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, stop - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!valid && !is_utf8(line)) place.fail("not UTF-8: {}", quote(line));
    place.check(!line.empty(), "empty line");
    f(place, line);
    begin = stop + 1;
  }
}

std::span<std::optional<std::string>> ObjectReader::read(const Place& place, std::string_view line) {
  std::fill(values_.begin(), values_.end(), std::nullopt);
  Picker picker(place, line, names_, values_);
  Json::sax_parse(line, &picker);
  return values_;
}

}  // namespace ace
