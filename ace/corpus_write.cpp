#include "ace/corpus.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/npy.h"

namespace ace {
namespace {

std::string queries_text(const std::vector<Query>& queries) {
  std::string result;
  for (const Query& query : queries) {
    result += fmt::format("{{\"_id\": {}, \"text\": {}}}\n", tensor::json_string(query.id, "query"),
                          tensor::json_string(query.text, "query"));
  }
  return result;
}

std::string judgements_text(const Corpus& corpus, size_t split) {
  std::string result = "query-id\tcorpus-id\tscore\n";
  for (const Judgement& j : corpus.judgements[split]) {
    result += fmt::format("{}\t{}\t{}\n", corpus.queries[size_t(j.query)].id, corpus.items[size_t(j.item)].id, j.score);
  }
  return result;
}

}  // namespace

void write_corpus(const std::filesystem::path& folder, const Corpus& corpus, const Progress& progress) {
  tensor::check(corpus.embeddings.defined() && corpus.embeddings.rows() == int64_t(corpus.items.size()),
                "write corpus: expected {} rows of embeddings, found {}", corpus.items.size(),
                corpus.embeddings.defined() ? corpus.embeddings.rows() : 0);
  tensor::AtomicFolder building(folder);
  const std::filesystem::path& to = building.temporary();
  int64_t done = 0;
  const auto next = [&] { progress("corpus", done++, 6); };
  next();
  tensor::write_file(to / "corpus.jsonl", items_text(corpus.items));
  next();
  tensor::write_npy(to / "items.npy", corpus.embeddings);
  next();
  tensor::write_file(to / "queries.jsonl", queries_text(corpus.queries));
  tensor::make_folder(to / "qrels");
  for (size_t i = 0; i < split_names.size(); ++i) {
    next();
    tensor::write_file(to / "qrels" / fmt::format("{}.tsv", split_names[i]), judgements_text(corpus, i));
  }
  if (!corpus.settings.empty()) tensor::write_file(to / "settings.toml", corpus.settings);
  next();
  building.commit();
}

}  // namespace ace
