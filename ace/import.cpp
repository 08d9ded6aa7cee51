#include "ace/import.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "ace/import_files.h"
#include "ace/text.h"
#include "tensor/npy.h"

namespace ace {
namespace {

using tensor::name_of;
using tensor::Tensor;

Corpus read_source(const ImportOptions& options) {
  const auto captioned = [&](const auto& reader) { return corpus_of(reader(options.source), options.protocol); };
  if (options.dataset == "clotho") return captioned(read_clotho);
  if (options.dataset == "audiocaps") return captioned(read_audiocaps);
  if (options.dataset == "flickr30k") return captioned(read_flickr30k);
  if (options.dataset == "flickr8k") return captioned(read_flickr8k);
  tensor::check(options.dataset == "beir", "import: expected clotho, audiocaps, flickr30k, flickr8k or beir, found {}",
                quote(options.dataset));
  tensor::check(options.protocol == "published",
                "import: beir has no captions to keep back: expected protocol published, found {}",
                quote(options.protocol));
  return read_beir(options.source);
}

Tensor read_embeddings(const std::filesystem::path& path, size_t items) {
  const Tensor x = tensor::read_npy(path);
  check_embeddings(x, items, name_of(path));
  check_rows(x, 0, x.rows(), name_of(path));
  return x;
}

std::unordered_map<std::string, int32_t> index_items(const Corpus& corpus) {
  std::unordered_map<std::string, int32_t> index;
  for (const Item& item : corpus.items) index.emplace(item.id, int32_t(index.size()));
  return index;
}

/// Row i of the result is the row of `x` that the list names after item i.
Tensor reorder(const Tensor& x, const Corpus& corpus, const std::filesystem::path& list) {
  const auto index = index_items(corpus);
  Tensor result(x.shape(), x.dtype());
  const size_t bytes = size_t(x.cols() * size_of(x.dtype()));
  std::vector<char> seen(corpus.items.size());
  size_t row = 0;
  const auto place_row = [&](const std::string& id, const std::string& place) {
    const auto found = index.find(id);
    tensor::check(found != index.end(), "{}: the data set has no item {}", place, quote(id));
    const auto item = size_t(found->second);
    tensor::check(!seen[item], "{}: item {} appears twice", place, quote(id));
    seen[item] = 1;
    std::memcpy(static_cast<char*>(result.raw()) + item * bytes, static_cast<const char*>(x.raw()) + row++ * bytes,
                bytes);
  };
  if (list.extension() == ".jsonl") {
    const auto visit = [&](const nlohmann::json& object, const std::string& place) {
      place_row(json_string(object, "_id", place), place);
    };
    each_json(list, visit, true);
  } else {
    const TextLines file = read_lines(list, true);
    for (size_t i = 0; i < file.lines.size(); ++i) place_row(file.lines[i], file.place(i));
  }
  const auto missing = std::ranges::find(seen, 0);
  if (missing != seen.end()) {
    tensor::fail("{}: item {} is missing", name_of(list), quote(corpus.items[size_t(missing - seen.begin())].id));
  }
  return result;
}

void add_queries(Corpus& corpus, const std::filesystem::path& path) {
  const auto index = index_items(corpus);
  std::unordered_set<std::string> ids;
  for (const Query& query : corpus.queries) ids.insert(query.id);
  size_t number = corpus.queries.size();
  const auto visit = [&](const nlohmann::json& object, const std::string& place) {
    const std::string id = json_string(object, "item", place);
    const auto item = index.find(id);
    tensor::check(item != index.end(), "{}: the data set has no item {}", place, quote(id));
    Query query{json_string_or_empty(object, "_id", place), caption_text(json_string(object, "text", place), place)};
    const bool named = !query.id.empty();
    while (!named && (query.id.empty() || ids.contains(query.id))) query.id = fmt::format("q{}", number++);
    check_id(query.id, place);
    tensor::check(ids.insert(query.id).second, "{}: \"_id\" {} appears twice", place, quote(query.id));
    corpus.judgements[size_t(Split::train)].push_back({int32_t(corpus.queries.size()), item->second, 1});
    corpus.queries.push_back(std::move(query));
  };
  each_json(path, visit, true);
}

}  // namespace

Corpus corpus_of(std::span<const CaptionedItem> items, std::string_view protocol) {
  tensor::check(protocol == "published" || protocol == "4+1", "import: expected protocol published or 4+1, found {}",
                quote(protocol));
  const bool published = protocol == "published";
  Corpus corpus;
  for (size_t row = 0; row < items.size(); ++row) {
    const CaptionedItem& item = items[row];
    const size_t captions = item.captions.size();
    const bool trains = item.split == Split::train;
    tensor::check(published || trains || captions > 1,
                  "import: 4+1 needs two captions of each dev and test item; {} has {}", quote(item.id), captions);
    corpus.items.push_back({item.id, split_names[size_t(item.split)], "", "", ""});
    for (size_t k = 0; k < captions; ++k) {
      const bool judges = !trains && (published || k == row % captions);
      const Split split = judges ? item.split : Split::train;
      corpus.judgements[size_t(split)].push_back({int32_t(corpus.queries.size()), int32_t(row), 1});
      corpus.queries.push_back({fmt::format("q{}", corpus.queries.size()), item.captions[k]});
    }
  }
  return corpus;
}

Corpus import_corpus(const ImportOptions& options) {
  Corpus corpus = read_source(options);
  tensor::check(!corpus.items.empty(), "{}: expected items, found none", name_of(options.source));
  corpus.embeddings = read_embeddings(options.embeddings, corpus.items.size());
  if (options.ids) corpus.embeddings = reorder(corpus.embeddings, corpus, *options.ids);
  if (options.queries) add_queries(corpus, *options.queries);
  return corpus;
}

}  // namespace ace
