#pragma once
#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "ace/retriever.h"
#include "ace/trie.h"
#include "tensor/bundle.h"

namespace ace {

/// One identifier that a search found.
struct Hypothesis {
  double score = 0;             ///< log p(identifier | query): Σ_j log-softmax over the whole vocabulary of position j
  std::vector<int32_t> tokens;  ///< [J]
  int32_t item = -1;            ///< −1: no item has it (unconstrained search only)
};

struct BeamOptions {
  int64_t beam = 50;
  bool constrained = true;  ///< only prefixes that the trie knows
};

/// Beam search over identifiers (paper section 3.5): at each position every kept prefix is extended by its children in
/// the trie (by every token, when unconstrained), and the best `beam` extensions are kept; equal scores prefer the
/// lexicographically smaller prefix, in the final list the smaller item. Scores are normalised over the whole
/// vocabulary before the restriction, so a step needs all logits of its position, not only the allowed ones. Per query
/// at most `beam` distinct hypotheses, best first; fewer when the tree has fewer. An extension of probability 0 is
/// never kept. Deterministic; each query's result is its own, whatever it is batched with.
///
/// On a GPU the whole of it, encoder and all positions, is one graph for each form of batch: how many texts, how many
/// rows once padded, which beam. Usable from several threads; on a GPU they take turns. Model and trie are referred to,
/// and the model's parameters must stay where they are (their values may change).
class BeamSearch {
 public:
  BeamSearch(const Retriever& model, const Trie& trie);
  ~BeamSearch();
  std::vector<std::vector<Hypothesis>> operator()(const nn::TextBatch& text, const BeamOptions& options) const;

 private:
  struct Form;
  Form& form_of(const nn::TextBatch& text, const BeamOptions& options) const;
  tensor::Bundle decode(const nn::TextBatch& text, const BeamOptions& options) const;
  const Retriever& model_;
  const Trie& trie_;
  mutable std::mutex mutex_;
  mutable std::map<std::array<int64_t, 5>, std::unique_ptr<Form>> forms_;
};
/// One such search.
inline std::vector<std::vector<Hypothesis>> beam_search(const Retriever& model, const nn::TextBatch& text,
                                                        const Trie& trie, const BeamOptions& options) {
  return BeamSearch(model, trie)(text, options);
}

/// log p of every identifier of `identifiers` [N, J] for each text: [B, N] f64; by teacher forcing, so N should be
/// small.
Tensor score_identifiers(const Retriever& model, const nn::TextBatch& text, const Tensor& identifiers);

}  // namespace ace
