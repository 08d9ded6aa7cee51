#include "ace/search.h"

#include <algorithm>

#include "ace/text.h"

namespace ace {

std::vector<std::vector<Hypothesis>> search_all(const BeamSearch& search, std::span<const std::vector<int32_t>> queries,
                                                const BeamOptions& options, int64_t batch, const Progress& progress,
                                                std::string_view stage) {
  std::vector<std::vector<Hypothesis>> results;
  for (size_t begin = 0; begin < queries.size(); begin += size_t(batch)) {
    const auto some = queries.subspan(begin, std::min(size_t(batch), queries.size() - begin));
    for (auto& found : search(nn::TextBatch::pack(some), options)) results.push_back(std::move(found));
    progress(stage, int64_t(results.size()), int64_t(queries.size()));
  }
  return results;
}

Retriever make_retriever(const Run& run, const Settings& settings, int64_t vocabulary, nn::Initializer init) {
  Retriever model(retriever_options(settings.model, vocabulary, run.identifiers.vocabulary), init);
  nn::move(nn::parameters(model), settings.device);
  return model;
}

Searcher::Searcher(const Run& run, const Settings& settings, std::span<const int32_t> pool)
    : settings_(settings),
      tokenizer_(run.tokenizer()),
      model_(make_retriever(run, settings, tokenizer_.size(), nn::Initializer::blank())),
      trie_(pool.empty() ? run.trie : Trie(run.identifiers, pool)) {
  const tensor::Safetensors weights = tensor::read_safetensors(run.path("retriever.safetensors"));
  const nn::Parameters parameters = nn::parameters(model_);
  nn::load(parameters, weights);
  nn::freeze(parameters, precision_on(settings.device, settings.search.precision));
}

std::vector<int32_t> Searcher::encode(const std::string& query, bool* cut) const {
  tensor::check(has_visible(Tokenizer::prepare(query)), "search: expected a query with a visible character, found {}",
                quote(query));
  return tokenizer_.encode_query(query, settings_.tokenizer.max_tokens, cut);
}

std::vector<std::vector<Searcher::Result>> Searcher::search(std::span<const std::string> queries, int64_t top,
                                                            int64_t beam) const {
  std::vector<std::vector<int32_t>> tokens;
  for (const std::string& query : queries) tokens.push_back(encode(query));
  std::vector<std::vector<Result>> results;
  for (auto& found : search_all(search_, tokens, {beam, true}, settings_.search.batch)) {
    std::vector<Result>& list = results.emplace_back();
    for (size_t i = 0; i < found.size() && int64_t(i) < top; ++i) {
      list.push_back({found[i].item, found[i].score, std::move(found[i].tokens)});
    }
  }
  return results;
}

}  // namespace ace
