#include "ace/import_files.h"
#include "ace/text.h"
#include "tensor/file.h"

namespace ace {
namespace {

/// One split of Multi30K's task 2: image names, and five files of captions, line by line.
void read_split(const std::filesystem::path& folder, const std::string& name, Split split, CaptionedItems& items) {
  const TextLines images = read_lines(folder / (name + "_images.txt"));
  std::vector<TextLines> columns;
  for (int k = 1; k <= 5; ++k) {
    columns.push_back(read_gzip_lines(folder / fmt::format("{}.{}.en.gz", name, k)));
    tensor::check(columns.back().lines.size() == images.lines.size(),
                  "{}: expected {} lines as in {}_images.txt, found {}", columns.back().origin, images.lines.size(),
                  name, columns.back().lines.size());
  }
  for (size_t i = 0; i < images.lines.size(); ++i) {
    CaptionedItem& item = items.add(images.lines[i], split, images.place(i));
    for (const TextLines& column : columns) item.captions.push_back(caption_text(column.lines[i], column.place(i)));
  }
}

}  // namespace

std::vector<CaptionedItem> read_flickr30k(const std::filesystem::path& folder) {
  check_folder(folder);
  if (const auto path = folder / "dataset_flickr30k.json"; tensor::exists(path)) return read_karpathy(path);
  constexpr std::array<const char*, 3> published = {"train", "val", "test_2016"};
  CaptionedItems items;
  bool any = false;
  for (size_t split = 0; split < 3; ++split) {
    const std::string name = published[split];
    if (!tensor::exists(folder / (name + "_images.txt"))) continue;
    any = true;
    read_split(folder, name, Split(split), items);
  }
  tensor::check(any, "{}: expected dataset_flickr30k.json or {{train,val,test_2016}}_images.txt, found none of them",
                tensor::name_of(folder));
  return items.take();
}

}  // namespace ace
