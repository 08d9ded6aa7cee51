#include "ace/csv.h"
#include "ace/import_files.h"
#include "tensor/file.h"

namespace ace {

std::vector<CaptionedItem> read_clotho(const std::filesystem::path& folder) {
  check_folder(folder);
  constexpr std::array<const char*, 3> published = {"development", "validation", "evaluation"};
  CaptionedItems items;
  bool any = false;
  for (size_t split = 0; split < 3; ++split) {
    const auto path = folder / fmt::format("clotho_captions_{}.csv", published[split]);
    if (!tensor::exists(path)) continue;
    any = true;
    const std::string text = tensor::read_file(path), origin = tensor::name_of(path);
    CsvTable table(text, origin, {"file_name", "caption_1", "caption_2", "caption_3", "caption_4", "caption_5"});
    for (std::vector<std::string> row; table.next(row);) {
      const std::string place = fmt::format("{}:{}", origin, table.line());
      tensor::check(!row[0].empty(), "{}: file_name is empty", place);
      CaptionedItem& item = items.add(fmt::format("{}/{}", split_names[split], row[0]), Split(split), place);
      for (size_t k = 1; k < row.size(); ++k) item.captions.push_back(caption_text(row[k], place));
    }
  }
  tensor::check(any, "{}: expected clotho_captions_{{development,validation,evaluation}}.csv, found none of them",
                tensor::name_of(folder));
  return items.take();
}

}  // namespace ace
