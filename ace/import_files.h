#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ace/import.h"

/// What the readers of published data sets share.
namespace ace {

/// A text file as lines: line i (from 1) is lines[i − 1]. CR before LF and a byte-order mark are dropped; the last line
/// may lack its line break. Fails, naming the line, on what is not UTF-8. `pipe`: it may be one.
struct TextLines {
  std::string origin;  ///< the path, for messages
  std::vector<std::string> lines;
  /// `captions.tsv:17`
  std::string place(size_t index) const { return origin + ":" + std::to_string(index + 1); }
};
TextLines read_lines(const std::filesystem::path& path, bool pipe = false);
/// The same from a gzip file.
TextLines read_gzip_lines(const std::filesystem::path& path);

/// Visits each non-blank line of a JSON Lines file as an object; `place` is `file:line`. `pipe`: it may be one.
void each_json(const std::filesystem::path& path,
               const std::function<void(const nlohmann::json& object, const std::string& place)>& visit,
               bool pipe = false);
/// object[key], which must be a string.
std::string json_string(const nlohmann::json& object, const char* key, const std::string& place);
/// The same, or empty when the key is absent or null.
std::string json_string_or_empty(const nlohmann::json& object, const char* key, const std::string& place);

/// A whole number and nothing else; fails otherwise.
int64_t whole_number(std::string_view text, const std::string& place);
/// The columns of a line, apart at tabs; fails unless there are `count` of them.
std::vector<std::string> tab_columns(std::string_view line, size_t count, const std::string& place);

/// Fails on an id that shows nothing, or that a corpus cannot hold (id_fault).
void check_id(std::string_view id, const std::string& place);
/// A caption with its white space single; fails when nothing visible is left.
std::string caption_text(std::string_view text, const std::string& place);

/// Items by id, in order of first appearance.
class CaptionedItems {
 public:
  /// A new item; fails when there is one of that id.
  CaptionedItem& add(const std::string& id, Split split, const std::string& place);
  /// The item of that id, added when it is new; fails when it is of another split.
  CaptionedItem& get(const std::string& id, Split split, const std::string& place);
  std::vector<CaptionedItem> take() { return std::move(items_); }

 private:
  std::vector<CaptionedItem> items_;
  std::unordered_map<std::string, size_t> index_;
};

/// A caption file of Karpathy's form (dataset_<name>.json): images with filename, split and sentences[].raw.
std::vector<CaptionedItem> read_karpathy(const std::filesystem::path& path);

/// Fails unless `folder` is a folder.
void check_folder(const std::filesystem::path& folder);

}  // namespace ace
