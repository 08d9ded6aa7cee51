#include <algorithm>
#include <unordered_set>

#include "ace/import_files.h"
#include "ace/text.h"
#include "tensor/file.h"

namespace ace {
namespace {

using Index = std::unordered_map<std::string, int32_t>;

void add_id(Index& index, const std::string& id, const std::string& place) {
  check_id(id, place);
  tensor::check(index.emplace(id, int32_t(index.size())).second, "{}: \"_id\" {} appears twice", place, quote(id));
}

int32_t find_id(const Index& index, const std::string& id, const char* file, const std::string& place) {
  const auto found = index.find(id);
  tensor::check(found != index.end(), "{}: {} is not in {}", place, quote(id), file);
  return found->second;
}

std::vector<Judgement> read_qrels(const std::filesystem::path& path, const Index& queries, const Index& items) {
  const TextLines file = read_lines(path);
  tensor::check(!file.lines.empty(), "{}: expected a header line, found nothing", file.origin);
  tensor::check(file.lines[0].starts_with("query-id"), "{}: expected the header query-id, corpus-id, score, found {}",
                file.place(0), quote(file.lines[0]));
  std::vector<Judgement> result;
  std::unordered_set<int64_t> seen;
  for (size_t i = 1; i < file.lines.size(); ++i) {
    if (file.lines[i].empty()) continue;
    const std::string place = file.place(i);
    const std::vector<std::string> columns = tab_columns(file.lines[i], 3, place);
    const int32_t query = find_id(queries, columns[0], "queries.jsonl", place);
    const int32_t item = find_id(items, columns[1], "corpus.jsonl", place);
    const int64_t score = whole_number(columns[2], place);
    tensor::check(score >= INT32_MIN && score <= INT32_MAX, "{}: expected a score of 32 bits, found {}", place, score);
    tensor::check(seen.insert(int64_t(query) << 32 | item).second, "{}: query {} judges item {} twice", place,
                  quote(columns[0]), quote(columns[1]));
    if (score > 0) result.push_back({query, item, int32_t(score)});
  }
  return result;
}

}  // namespace

Corpus read_beir(const std::filesystem::path& folder) {
  check_folder(folder);
  Corpus corpus;
  Index items, queries;
  each_json(folder / "corpus.jsonl", [&](const nlohmann::json& object, const std::string& place) {
    Item item;
    item.id = json_string(object, "_id", place);
    add_id(items, item.id, place);
    item.split = json_string_or_empty(object, "split", place);
    tensor::check(item.split.empty() || std::ranges::count(split_names, item.split) == 1,
                  "{}: \"split\": expected train, dev or test, found {}", place, quote(item.split));
    item.title = json_string_or_empty(object, "title", place);
    item.text = json_string_or_empty(object, "text", place);
    item.path = json_string_or_empty(object, "path", place);
    corpus.items.push_back(std::move(item));
  });
  each_json(folder / "queries.jsonl", [&](const nlohmann::json& object, const std::string& place) {
    Query query{json_string(object, "_id", place), caption_text(json_string(object, "text", place), place)};
    add_id(queries, query.id, place);
    corpus.queries.push_back(std::move(query));
  });
  bool any = false;
  for (size_t split = 0; split < 3; ++split) {
    const auto path = folder / "qrels" / fmt::format("{}.tsv", split_names[split]);
    if (!tensor::exists(path)) continue;
    any = true;
    corpus.judgements[split] = read_qrels(path, queries, items);
  }
  tensor::check(any, "{}: expected qrels/{{train,dev,test}}.tsv, found none of them", tensor::name_of(folder));
  return corpus;
}

}  // namespace ace
