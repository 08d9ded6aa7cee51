#pragma once
#include "ace/beam_search.h"
#include "ace/progress.h"
#include "ace/run.h"

namespace ace {

/// Beam search over many tokenised queries, `batch` at a time; after each batch `stage` has come so far.
std::vector<std::vector<Hypothesis>> search_all(const BeamSearch& search, std::span<const std::vector<int32_t>> queries,
                                                const BeamOptions& options, int64_t batch,
                                                const Progress& progress = {}, std::string_view stage = {});

/// A retriever of the run's sizes on the settings' device, with weights from `init`.
Retriever make_retriever(const Run& run, const Settings& settings, int64_t vocabulary, nn::Initializer init);

/// A trained run, ready to answer: text in, ranked items out. No item embedding is read. Usable from several threads.
class Searcher {
 public:
  /// Reads tokenizer and weights; fails when the run is not trained, or holds a weight that is not finite. `pool`
  /// (ascending items) restricts what can be found; empty means all.
  Searcher(const Run& run, const Settings& settings, std::span<const int32_t> pool = {});

  struct Result {
    int32_t item = -1;                ///< line of items.jsonl
    double score = 0;                 ///< natural log of the model's probability of the identifier
    std::vector<int32_t> identifier;  ///< [J]
  };
  /// The best `top` items for each query, from a beam of `beam`; fewer when there are fewer.
  std::vector<std::vector<Result>> search(std::span<const std::string> queries, int64_t top, int64_t beam) const;

  /// A query as the model sees it: normalised, segmented, cut to tokenizer.max_tokens, ended with eos. `cut` tells
  /// whether anything was lost. Fails without a visible character.
  std::vector<int32_t> encode(const std::string& query, bool* cut = nullptr) const;
  const Retriever& model() const { return model_; }
  const Trie& trie() const { return trie_; }

 private:
  Settings settings_;
  Tokenizer tokenizer_;
  Retriever model_;
  Trie trie_;
  BeamSearch search_{model_, trie_};
};

}  // namespace ace
