#include <algorithm>
#include <map>

#include "ace/import_files.h"
#include "ace/text.h"
#include "tensor/file.h"

namespace ace {
namespace {

/// Captions by image, in their numbers' order; images in order of first appearance.
class NumberedCaptions {
 public:
  void add(const std::string& image, std::string_view number, std::string_view text, const std::string& place) {
    check_id(image, place);
    auto& captions = captions_[image];
    if (captions.empty()) order_.push_back(image);
    const bool added = captions.emplace(whole_number(number, place), caption_text(text, place)).second;
    tensor::check(added, "{}: image {} has two captions of number {}", place, quote(image), number);
  }
  const std::vector<std::string>& images() const { return order_; }
  bool has(const std::string& image) const { return captions_.contains(image); }
  std::vector<std::string> of(const std::string& image) const {
    std::vector<std::string> result;
    for (const auto& [number, text] : captions_.at(image)) result.push_back(text);
    return result;
  }

 private:
  std::vector<std::string> order_;
  std::unordered_map<std::string, std::map<int64_t, std::string>> captions_;
};

/// `image.jpg#0 TAB caption`
NumberedCaptions read_tokens(const std::filesystem::path& path) {
  const TextLines file = read_lines(path);
  NumberedCaptions captions;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::vector<std::string> columns = tab_columns(file.lines[i], 2, file.place(i));
    const size_t mark = columns[0].rfind('#');
    tensor::check(mark != std::string::npos, "{}: expected image#number, found {}", file.place(i), quote(columns[0]));
    captions.add(columns[0].substr(0, mark), columns[0].substr(mark + 1), columns[1], file.place(i));
  }
  return captions;
}

/// `image.jpg TAB 0 TAB caption`
NumberedCaptions read_columns(const std::filesystem::path& path) {
  const TextLines file = read_lines(path);
  NumberedCaptions captions;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::vector<std::string> columns = tab_columns(file.lines[i], 3, file.place(i));
    captions.add(columns[0], columns[1], columns[2], file.place(i));
  }
  return captions;
}

/// Adds the images that a list names, one a line, with their captions.
void add_list(const std::filesystem::path& path, Split split, const NumberedCaptions& captions, CaptionedItems& items) {
  const TextLines list = read_lines(path);
  for (size_t i = 0; i < list.lines.size(); ++i) {
    const std::string& image = list.lines[i];
    if (image.empty()) continue;
    tensor::check(captions.has(image), "{}: image {} has no captions", list.place(i), quote(image));
    items.add(image, split, list.place(i)).captions = captions.of(image);
  }
}

std::vector<CaptionedItem> read_published(const std::filesystem::path& folder) {
  const NumberedCaptions captions = read_tokens(folder / "Flickr8k.token.txt");
  constexpr std::array<const char*, 3> published = {"train", "dev", "test"};
  CaptionedItems items;
  bool any = false;
  for (size_t split = 0; split < 3; ++split) {
    const auto path = folder / fmt::format("Flickr_8k.{}Images.txt", published[split]);
    if (!tensor::exists(path)) continue;
    any = true;
    add_list(path, Split(split), captions, items);
  }
  tensor::check(any, "{}: expected Flickr_8k.{{trainImages,devImages,testImages}}.txt, found none of them",
                tensor::name_of(folder));
  return items.take();
}

std::vector<CaptionedItem> read_test_only(const std::filesystem::path& folder) {
  const NumberedCaptions captions = read_columns(folder / "captions.tsv");
  CaptionedItems items;
  if (const auto list = folder / "image_ids.txt"; tensor::exists(list)) {
    add_list(list, Split::test, captions, items);
  } else {
    for (const std::string& image : captions.images()) items.add(image, Split::test, "").captions = captions.of(image);
  }
  return items.take();
}

}  // namespace

std::vector<CaptionedItem> read_flickr8k(const std::filesystem::path& folder) {
  check_folder(folder);
  if (tensor::exists(folder / "Flickr8k.token.txt")) return read_published(folder);
  if (const auto path = folder / "dataset_flickr8k.json"; tensor::exists(path)) return read_karpathy(path);
  tensor::check(tensor::exists(folder / "captions.tsv"),
                "{}: expected Flickr8k.token.txt, dataset_flickr8k.json or captions.tsv, found none of them",
                tensor::name_of(folder));
  return read_test_only(folder);
}

}  // namespace ace
