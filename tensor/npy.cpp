#include "tensor/npy.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "tensor/mapped.h"

namespace tensor {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t header_limit = size_t(1) << 20;

struct Format {
  DType type;
  std::string_view name;
};
constexpr Format formats[] = {{DType::f16, "<f2"}, {DType::f32, "<f4"}, {DType::f64, "<f8"},
                              {DType::i32, "<i4"}, {DType::i64, "<i8"}, {DType::u8, "|u1"}};

struct Header {
  Shape shape;
  DType type = DType::f32;
};

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`: of Python's literals only what `numpy.save`
/// writes for plain arrays: a dictionary with these three keys, plain strings, True and False, a tuple of sizes.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& origin) : text_(text), origin_(origin) {}

  Header parse() {
    std::optional<std::string_view> format;
    std::optional<bool> fortran_order;
    std::optional<Shape> shape;
    expect('{');
    while (!take('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !format)
        format = format_name();
      else if (key == "fortran_order" && !fortran_order)
        fortran_order = boolean();
      else if (key == "shape" && !shape)
        shape = sizes();
      else
        fail("{}: header has an unknown or repeated key \"{}\"", origin_, one_line(key));
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    check(position_ == text_.size(), "{}: header goes on after its end at byte {}", origin_, position_);
    check(format && fortran_order && shape, "{}: header lacks descr, fortran_order or shape", origin_);
    check(!*fortran_order, "{}: expected C order (row by row), found Fortran order", origin_);
    return {*shape, type(*format)};
  }

 private:
  [[noreturn]] void fail_at(std::string_view expected) {
    const std::string_view rest = text_.substr(std::min(position_, text_.size()));
    fail("{}: header byte {}: expected {}, found \"{}\"", origin_, position_, expected, one_line(rest, 20));
  }
  void skip_space() {
    while (position_ < text_.size() && std::string_view(" \t\n\r\f").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    }
  }
  bool take(char c) {
    skip_space();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail_at(std::string_view(&c, 1));
  }
  std::string_view string() {
    const char quote = take('\'') ? '\'' : take('"') ? '"' : '\0';
    const size_t end = quote ? text_.find(quote, position_) : std::string_view::npos;
    if (end == std::string_view::npos) fail_at("a string");
    const std::string_view result = text_.substr(position_, end - position_);
    check(result.find('\\') == std::string_view::npos, "{}: header string \"{}\" has a backslash", origin_,
          one_line(result));
    position_ = end + 1;
    return result;
  }
  std::string_view format_name() {
    skip_space();
    check(position_ >= text_.size() || text_[position_] != '[', "{}: expected an array of plain numbers, found records",
          origin_);
    return string();
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      return word == "True";
    }
    fail_at("True or False");
  }
  int64_t integer() {
    skip_space();
    int64_t value = 0;
    const char* const begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) fail_at("a size");
    position_ += size_t(end - begin);
    return value;
  }
  Shape sizes() {
    std::vector<int64_t> result;
    expect('(');
    bool comma = true;
    while (!take(')')) {
      if (!comma) fail_at(", or )");
      result.push_back(integer());
      comma = take(',');
    }
    try {
      return Shape(result);
    } catch (const Error& error) {
      fail("{}: {}", origin_, error.what());
    }
  }
  DType type(std::string_view name) {
    const auto known = std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.name == name; });
    if (known != std::end(formats)) return known->type;
    const char* const kind = name.find('O') != name.npos ? " (Python objects)" : name[0] == '>' ? " (big-endian)" : "";
    fail("{}: expected float16, float32, float64, int32, int64 or uint8, found \"{}\"{}", origin_, one_line(name),
         kind);
  }

  std::string_view text_;
  const std::string& origin_;
  size_t position_ = 0;
};

/// Where the header's text lies: format 1.0 has 2 bytes for its length, 2.0 and 3.0 have 4.
struct Place {
  size_t begin, length;
};
Place header_place(std::string_view file, const std::string& origin) {
  check(file.starts_with(magic) && file.size() >= 10, "{}: not a .npy file", origin);
  const auto byte = [&](size_t i) { return size_t(uint8_t(file[i])); };
  const size_t major = byte(6), minor = byte(7), width = major == 1 ? 2 : 4;
  check(major >= 1 && major <= 3 && minor == 0, "{}: expected .npy format 1.0, 2.0 or 3.0, found {}.{}", origin, major,
        minor);
  check(file.size() >= 8 + width, "{}: cut off in its header", origin);
  size_t length = 0;
  for (size_t i = 0; i < width; ++i) length |= byte(8 + i) << 8 * i;
  check(length <= header_limit, "{}: expected a header of at most {} bytes, found {}", origin, header_limit, length);
  check(file.size() - 8 - width >= length, "{}: cut off in its header", origin);
  return {8 + width, length};
}

/// The header as NumPy writes it, padded so that the data starts at a multiple of 64 bytes.
std::string header_of(const Tensor& x) {
  const auto format =
      std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.type == x.dtype(); });
  check(format != std::end(formats), "npy: the format has no {}; convert to float32 first", name_of(x.dtype()));
  std::string shape;
  for (int i = 0; i < x.rank(); ++i) shape += fmt::format("{}{}", i ? ", " : "", x.size(i));
  if (x.rank() == 1) shape += ',';
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", format->name, shape);
  text.append(63 - (10 + text.size()) % 64, ' ') += '\n';
  std::string result(magic);
  for (const size_t byte : {size_t(1), size_t(0), text.size() & 255, text.size() >> 8}) result += char(byte);
  return result + text;
}

}  // namespace

Tensor read_npy(const std::filesystem::path& path) {
  const std::string origin = name_of(path);
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const auto [begin, length] = header_place(text, origin);
  const Header header = HeaderParser(text.substr(begin, length), origin).parse();
  const size_t expected = stored_bytes(origin, header.shape, header.type), found = text.size() - begin - length;
  check(found == expected, "{}: expected {} bytes of data for {} {}, found {}", origin, expected, name_of(header.type),
        header.shape, found);
  return mapped_tensor(file, begin + length, header.shape, header.type);
}

void write_npy(const std::filesystem::path& path, const Tensor& x) {
  const std::span<const std::byte> data = stored(x);
  const std::string header = header_of(x);
  AtomicFile file(path);
  file.write(header);
  file.write(data);
  file.commit();
}

std::string npy_bytes(const Tensor& x) {
  const std::span<const std::byte> data = stored(x);
  return header_of(x).append(reinterpret_cast<const char*>(data.data()), data.size());
}

}  // namespace tensor
