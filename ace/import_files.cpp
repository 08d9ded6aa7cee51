#include "ace/import_files.h"

#include <algorithm>

#include "ace/gzip.h"
#include "ace/text.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace ace {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Visits the lines of a text without their ends; `number` counts from 1.
template <class Visit>
void each_line(std::string_view text, const Visit& visit) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string read_text(const std::filesystem::path& path, bool pipe) {
  return pipe ? tensor::read_input(path) : tensor::read_file(path);
}

TextLines lines_of(std::string_view text, const std::filesystem::path& path) {
  TextLines result{tensor::name_of(path), {}};
  each_line(text, [&](std::string_view line, int64_t number) {
    tensor::check(is_utf8(line), "{}:{}: expected UTF-8, found {}", result.origin, number, quote(line));
    result.lines.emplace_back(line);
  });
  return result;
}

}  // namespace

TextLines read_lines(const std::filesystem::path& path, bool pipe) { return lines_of(read_text(path, pipe), path); }
TextLines read_gzip_lines(const std::filesystem::path& path) { return lines_of(read_gzip(path), path); }

void each_json(const std::filesystem::path& path,
               const std::function<void(const nlohmann::json& object, const std::string& place)>& visit, bool pipe) {
  const std::string text = read_text(path, pipe), origin = tensor::name_of(path);
  each_line(text, [&](std::string_view line, int64_t number) {
    if (line.find_first_not_of(" \t") == line.npos) return;
    const std::string place = fmt::format("{}:{}", origin, number);
    const nlohmann::json object = tensor::parse_json(line, place);
    tensor::check(object.is_object(), "{}: expected a JSON object, found {}", place, quote(line));
    visit(object, place);
  });
}

std::string json_string(const nlohmann::json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  tensor::check(found != object.end(), "{}: \"{}\" missing", place, key);
  tensor::check(found->is_string(), "{}: \"{}\": expected a string, found {}", place, key, found->type_name());
  return found->get<std::string>();
}

std::string json_string_or_empty(const nlohmann::json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? std::string() : json_string(object, key, place);
}

int64_t whole_number(std::string_view text, const std::string& place) {
  int64_t value = 0;
  tensor::check(parse_number(text, value), "{}: expected a whole number, found {}", place, quote(text));
  return value;
}

std::vector<std::string> tab_columns(std::string_view line, size_t count, const std::string& place) {
  std::vector<std::string> columns;
  while (true) {
    const size_t tab = line.find('\t');
    columns.emplace_back(line.substr(0, tab));
    if (tab == line.npos) break;
    line.remove_prefix(tab + 1);
  }
  tensor::check(columns.size() == count, "{}: expected {} columns with tabs between, found {}", place, count,
                columns.size());
  return columns;
}

void check_id(std::string_view id, const std::string& place) {
  tensor::check(has_visible(id), "{}: expected an id with a visible character, found {}", place, quote(id));
  const char* const fault = id_fault(id);
  tensor::check(fault == nullptr, "{}: id {} {}", place, quote(id), fault ? fault : "");
}

std::string caption_text(std::string_view text, const std::string& place) {
  tensor::check(has_visible(text), "{}: expected a text with a visible character, found {}", place, quote(text));
  return single_spaced(text);
}

CaptionedItem& CaptionedItems::add(const std::string& id, Split split, const std::string& place) {
  check_id(id, place);
  const auto [found, added] = index_.emplace(id, items_.size());
  tensor::check(added, "{}: item {} appears twice", place, quote(id));
  return items_.emplace_back(CaptionedItem{id, split, {}});
}

CaptionedItem& CaptionedItems::get(const std::string& id, Split split, const std::string& place) {
  const auto found = index_.find(id);
  if (found == index_.end()) return add(id, split, place);
  CaptionedItem& item = items_[found->second];
  tensor::check(item.split == split, "{}: item {} is in two splits, {} and {}", place, quote(id),
                split_names[size_t(item.split)], split_names[size_t(split)]);
  return item;
}

std::vector<CaptionedItem> read_karpathy(const std::filesystem::path& path) {
  const std::string origin = tensor::name_of(path);
  const nlohmann::json document = tensor::parse_json(tensor::read_file(path), origin);
  const auto images = document.find("images");
  tensor::check(images != document.end() && images->is_array(), "{}: expected an object with a list \"images\"",
                origin);
  std::array<CaptionedItems, 3> splits;
  std::unordered_map<std::string, size_t> seen;
  for (size_t i = 0; i < images->size(); ++i) {
    const nlohmann::json& image = (*images)[i];
    const std::string place = fmt::format("{}: image {}", origin, i);
    tensor::check(image.is_object(), "{}: expected an object, found {}", place, image.type_name());
    const std::string id = json_string(image, "filename", place), split = json_string(image, "split", place);
    tensor::check(split == "train" || split == "val" || split == "test",
                  "{}: \"split\": expected train, val or test, found {}", place, quote(split));
    const Split where = split == "train" ? Split::train : split == "val" ? Split::dev : Split::test;
    tensor::check(seen.emplace(id, i).second, "{}: item {} appears twice", place, quote(id));
    CaptionedItem& item = splits[size_t(where)].add(id, where, place);
    const auto sentences = image.find("sentences");
    tensor::check(sentences != image.end() && sentences->is_array() && !sentences->empty(),
                  "{}: expected a list \"sentences\" with a caption", place);
    for (const nlohmann::json& sentence : *sentences) {
      tensor::check(sentence.is_object(), "{}: expected objects in \"sentences\", found {}", place,
                    sentence.type_name());
      item.captions.push_back(caption_text(json_string(sentence, "raw", place), place));
    }
  }
  std::vector<CaptionedItem> result;
  for (CaptionedItems& split : splits) {
    for (CaptionedItem& item : split.take()) result.push_back(std::move(item));
  }
  return result;
}

void check_folder(const std::filesystem::path& folder) {
  const bool there = tensor::exists(folder);
  tensor::check(there && std::filesystem::is_directory(folder), "{}: expected a folder of published files, found {}",
                tensor::name_of(folder), there ? "a file" : "nothing");
}

}  // namespace ace
