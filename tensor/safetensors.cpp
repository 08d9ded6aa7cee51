#include "tensor/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "tensor/json.h"
#include "tensor/mapped.h"

namespace tensor {
namespace {

using Json = nlohmann::json;

constexpr size_t header_limit = size_t(100) << 20;
constexpr const char* metadata_key = "__metadata__";

struct Format {
  DType type;
  std::string_view name;
};
constexpr Format formats[] = {{DType::f32, "F32"}, {DType::f64, "F64"}, {DType::f16, "F16"}, {DType::bf16, "BF16"},
                              {DType::i32, "I32"}, {DType::i64, "I64"}, {DType::u8, "U8"}};

/// What the header says of one tensor; `what` is `file: tensor "name"`, for messages.
struct Entry {
  std::string name, what;
  DType type = DType::f32;
  Shape shape;
  size_t begin = 0, end = 0;
};

std::string what(const std::string& origin, const std::string& name) {
  return fmt::format("{}: tensor \"{}\"", origin, one_line(name));
}

const Json& field(const Json& object, const char* name, const std::string& what) {
  check(object.is_object() && object.contains(name), "{} lacks \"{}\"", what, name);
  return object[name];
}

std::vector<int64_t> integers(const Json& list, const char* name, const std::string& what) {
  check(list.is_array(), "{}: expected a list of integers in \"{}\"", what, name);
  std::vector<int64_t> result;
  for (const Json& value : list) {
    constexpr uint64_t most = uint64_t(std::numeric_limits<int64_t>::max());
    check(value.is_number_unsigned() && value.get<uint64_t>() <= most, "{}: expected non-negative integers in \"{}\"",
          what, name);
    result.push_back(value.get<int64_t>());
  }
  return result;
}

DType type_of(const Json& name, const std::string& what) {
  const std::string text = name.is_string() ? name.get<std::string>() : name.dump();
  const auto known = std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.name == text; });
  check(known != std::end(formats), "{}: expected dtype F32, F64, F16, BF16, I32, I64 or U8, found {}", what,
        one_line(text, 40));
  return known->type;
}

Shape shape_of(const std::vector<int64_t>& sizes, const std::string& what) {
  try {
    return Shape(sizes);
  } catch (const Error& error) {
    fail("{}: {}", what, error.what());
  }
}

Entry parse_entry(const std::string& name, const Json& value, const std::string& origin) {
  Entry entry;
  entry.name = name;
  entry.what = what(origin, name);
  entry.type = type_of(field(value, "dtype", entry.what), entry.what);
  entry.shape = shape_of(integers(field(value, "shape", entry.what), "shape", entry.what), entry.what);
  const auto offsets = integers(field(value, "data_offsets", entry.what), "data_offsets", entry.what);
  check(offsets.size() == 2 && offsets[0] <= offsets[1], "{}: expected data_offsets [begin, end]", entry.what);
  entry.begin = size_t(offsets[0]);
  entry.end = size_t(offsets[1]);
  const size_t expected = stored_bytes(entry.what, entry.shape, entry.type);
  check(entry.end - entry.begin == expected, "{}: expected {} bytes for {} {}, found {}", entry.what, expected,
        name_of(entry.type), entry.shape, entry.end - entry.begin);
  return entry;
}

/// Together the tensors must cover the data exactly: no overlap, no hole, nothing before or after.
void check_cover(std::vector<Entry>& entries, size_t data_bytes, const std::string& origin) {
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  size_t position = 0;
  for (const Entry& entry : entries) {
    check(entry.begin >= position, "{} overlaps another", entry.what);
    check(entry.begin == position, "{}: {} unused bytes before it", entry.what, entry.begin - position);
    check(entry.end <= data_bytes, "{} ends at byte {} of {}: the file is cut off", entry.what, entry.end, data_bytes);
    position = entry.end;
  }
  check(position == data_bytes, "{}: expected {} bytes of data, found {}", origin, position, data_bytes);
}

void parse_metadata(const Json& value, Safetensors& result) {
  check(value.is_object(), "{}: expected an object in \"{}\"", result.origin, metadata_key);
  for (const auto& [key, text] : value.items()) {
    check(text.is_string(), "{}: expected text in \"{}\" for \"{}\"", result.origin, metadata_key, one_line(key));
    result.metadata[key] = text.get<std::string>();
  }
}

std::string_view header_text(std::string_view file, const std::string& origin) {
  check(file.size() >= 8, "{}: not a .safetensors file: expected at least 8 bytes, found {}", origin, file.size());
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t(uint8_t(file[i])) << 8 * i;
  check(length <= header_limit, "{}: expected a header of at most {} bytes, found {}", origin, header_limit, length);
  check(length <= file.size() - 8, "{}: expected a header of {} bytes, found {}", origin, length, file.size() - 8);
  const std::string_view text = file.substr(8, size_t(length));
  check(text.starts_with('{'), "{}: not a .safetensors file: its header is not a JSON object", origin);
  return text;
}

std::string_view format_name(DType type) {
  return std::find_if(std::begin(formats), std::end(formats), [&](auto& f) { return f.type == type; })->name;
}

/// Length, then JSON padded with spaces to a multiple of 8 bytes.
std::string header_of(const std::map<std::string, Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) {
    std::vector<std::string> lines;
    for (const auto& [key, text] : metadata)
      lines.push_back(json_string(key, "safetensors") + ":" + json_string(text, "safetensors"));
    members.push_back(fmt::format("\"{}\":{{{}}}", metadata_key, fmt::join(lines, ",")));
  }
  size_t position = 0;
  for (const auto& [name, x] : tensors) {
    check(name != metadata_key, "safetensors: no tensor can have the name \"{}\"", metadata_key);
    const size_t end = position + stored(x).size();
    members.push_back(fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                                  json_string(name, "safetensors"), format_name(x.dtype()), fmt::join(x.shape(), ","),
                                  position, end));
    position = end;
  }
  std::string text = fmt::format("{{{}}}", fmt::join(members, ","));
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string result;
  for (int i = 0; i < 8; ++i) result += char(uint64_t(text.size()) >> 8 * i);
  return result + text;
}

}  // namespace

const Tensor& Safetensors::at(const std::string& name) const {
  const auto found = tensors.find(name);
  check(found != tensors.end(), "{} is missing", what(origin, name));
  return found->second;
}

const Tensor& Safetensors::at(const std::string& name, const Shape& shape) const {
  const Tensor& x = at(name);
  check(x.shape() == shape, "{}: expected {}, found {}", what(origin, name), shape, x.shape());
  return x;
}

Safetensors read_safetensors(const std::filesystem::path& path) {
  Safetensors result;
  result.origin = name_of(path);
  const MappedFile file(path);
  const std::string_view text = file.text();
  const std::string_view header = header_text(text, result.origin);
  const Json json = parse_json(header, result.origin, 3);
  std::vector<Entry> entries;
  for (const auto& [name, value] : json.items()) {
    if (name == metadata_key)
      parse_metadata(value, result);
    else
      entries.push_back(parse_entry(name, value, result.origin));
  }
  const size_t data = 8 + header.size();
  check_cover(entries, text.size() - data, result.origin);
  for (const Entry& entry : entries) {
    result.tensors.emplace(entry.name, mapped_tensor(file, data + entry.begin, entry.shape, entry.type));
  }
  return result;
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(tensors, metadata);
  AtomicFile file(path);
  file.write(header);
  for (const auto& [name, x] : tensors) file.write(stored(x));
  file.commit();
}

std::string safetensors_bytes(const std::map<std::string, Tensor>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::string result = header_of(tensors, metadata);
  for (const auto& [name, x] : tensors) {
    const std::span<const std::byte> data = stored(x);
    result.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  return result;
}

}  // namespace tensor
