#include "ace/csv.h"
#include "ace/import_files.h"
#include "tensor/file.h"

namespace ace {

std::vector<CaptionedItem> read_audiocaps(const std::filesystem::path& folder) {
  check_folder(folder);
  constexpr std::array<const char*, 3> published = {"train", "val", "test"};
  CaptionedItems items;
  bool any = false;
  for (size_t split = 0; split < 3; ++split) {
    const auto path = folder / fmt::format("{}.csv", published[split]);
    if (!tensor::exists(path)) continue;
    any = true;
    const std::string text = tensor::read_file(path), origin = tensor::name_of(path);
    CsvTable table(text, origin, {"youtube_id", "caption"});
    for (std::vector<std::string> row; table.next(row);) {
      const std::string place = fmt::format("{}:{}", origin, table.line());
      tensor::check(!row[0].empty(), "{}: youtube_id is empty", place);
      CaptionedItem& item = items.get(fmt::format("{}/{}", split_names[split], row[0]), Split(split), place);
      item.captions.push_back(caption_text(row[1], place));
    }
  }
  tensor::check(any, "{}: expected train.csv, val.csv or test.csv, found none of them", tensor::name_of(folder));
  return items.take();
}

}  // namespace ace
